interface RetryOptions {
  retries?: number;
  baseDelay?: number;
}

async function retry<T>(fn: (attempt: number) => Promise<T>, { retries = 3, baseDelay = 1 }: RetryOptions = {}): Promise<T> {
  let lastError: unknown;
  for (let attempt = 1; attempt <= retries; attempt++) {
    try {
      return await fn(attempt);
    } catch (err: any) {
      lastError = err;
      if (err.code !== "TOOL_ERROR") throw err;
      console.warn(`attempt ${attempt} failed: ${(err as Error).message}`);
      await sleep(baseDelay * 2 ** attempt);
    }
  }
  throw new Error("gave up", { cause: lastError });
}

const numbers: number[] = [];
const attempts: number[] = [];
for (let i = 0; i < 6; i++) {
  const { call } = await retry<{ call: number }>((attempt) => {
    if (attempt > 1) attempts.push(i);
    return tools.lab.flaky({ every: 3, key: "retry-backoff" });
  });
  numbers.push(call);
}
return { numbers, retriedAt: attempts };
// expect: {"numbers":[1,2,4,5,7,8],"retriedAt":[2,4]}
