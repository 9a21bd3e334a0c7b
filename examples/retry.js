// A tool that fails each second call. What it reports as an error arrives as a
// HostError, which an ordinary try and catch deals with.
const attempts = 3;

async function withRetry(task) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await task();
    } catch (error) {
      if (error.code !== "TOOL_ERROR" || attempt === attempts) throw error;
      console.warn(`attempt ${attempt}: ${error.message}`);
      await sleep(5 * attempt);
    }
  }
}

async () => {
  const calls = [];
  for (let i = 0; i < 5; i++) {
    calls.push(await withRetry(() => tools.lab.flaky({ every: 2, key: "retry.js" })));
  }
  return { values: calls.length, allNew: new Set(calls.map((c) => c.call)).size === calls.length };
};
// expect: {"values":5,"allNew":true}
