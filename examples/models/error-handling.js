async () => {
  const report = {};

  try {
    await tools.tracker.get_issue({ number: 9999 });
  } catch (e) {
    report.missing = { code: e.code, says: e.message };
  }

  try {
    await tools.lab.fail({ message: "disk full" });
  } catch (e) {
    report.failing = e instanceof HostError ? `${e.server}/${e.tool}: ${e.message}` : "unexpected";
  }

  try {
    await tools.tracker.list_isues({});
  } catch (e) {
    report.typo = { code: e.code, suggests: /list_issues/.test(e.suggestion ?? e.message) };
  }

  try {
    JSON.parse("{oops");
  } catch (e) {
    report.parse = e.name;
  }

  return report;
};
// expect: {"missing":{"code":"TOOL_ERROR","says":"there is no issue 9999: numbers go from 1 to 60"},"failing":"lab/fail: disk full","typo":{"code":"TOOL_NOT_FOUND","suggests":true},"parse":"SyntaxError"}
