// Fetch all pages
const all = [];
let offset = 0;
const limit = 25;

while (true) {
  const page = await tools.tracker.list_issues({ state: "all", limit, offset });
  all.push(...page.issues);
  console.log(`Fetched ${all.length} of ${page.total}`);
  if (all.length >= page.total || page.issues.length === 0) break;
  offset += limit;
}

const byState = all.reduce((acc, issue) => {
  acc[issue.state] = (acc[issue.state] || 0) + 1;
  return acc;
}, {});

return { count: all.length, byState, newest: all[0].number, oldest: all[all.length - 1].number };
// expect: {"count":60,"byState":{"closed":21,"open":39},"newest":60,"oldest":1}
