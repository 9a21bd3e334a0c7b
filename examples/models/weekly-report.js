// A report over the open issues: how many of each label, the busiest first.
async () => {
  const { open } = await tools.tracker.count_by_label({});
  const sorted = Object.entries(open).sort(([a, x], [b, y]) => y - x || a.localeCompare(b));
  const total = sorted.reduce((sum, [, n]) => sum + n, 0);
  return {
    total,
    labels: sorted.map(([label, n]) => `${label}: ${n} (${((100 * n) / total).toFixed(1)}%)`),
  };
};
// expect: {"total":43,"labels":["feature: 10 (23.3%)","performance: 10 (23.3%)","security: 10 (23.3%)","docs: 7 (16.3%)","bug: 6 (14.0%)"]}
