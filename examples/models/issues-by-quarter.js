const { issues } = await tools.tracker.list_issues({ state: "all", limit: 100 });

const quarters = {};
for (const issue of issues) {
  const d = new Date(issue.created + "T00:00:00Z");
  const q = `${d.getUTCFullYear()}-Q${Math.floor(d.getUTCMonth() / 3) + 1}`;
  (quarters[q] = quarters[q] || []).push(d);
}

return Object.entries(quarters)
  .sort(([a], [b]) => a.localeCompare(b))
  .map(([quarter, dates]) => {
    const first = new Date(Math.min(...dates));
    return { quarter, count: dates.length, first: first.toLocaleDateString("en-US", { year: "numeric", month: "short", day: "numeric" }) };
  });
// expect: [{"quarter":"2025-Q1","count":17,"first":"Jan 6, 2025"},{"quarter":"2025-Q2","count":19,"first":"Apr 1, 2025"},{"quarter":"2025-Q3","count":18,"first":"Jul 5, 2025"},{"quarter":"2025-Q4","count":6,"first":"Oct 3, 2025"}]
