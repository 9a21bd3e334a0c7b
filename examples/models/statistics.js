async () => {
  const { rows, total } = await tools.sales.rows({ limit: 20000 });
  const amounts = rows.map((r) => r.amount / 100).sort((a, b) => a - b);
  const n = amounts.length;
  const mean = amounts.reduce((a, b) => a + b, 0) / n;
  const median = (amounts[n / 2 - 1] + amounts[n / 2]) / 2;
  const sd = Math.sqrt(amounts.reduce((s, x) => s + (x - mean) ** 2, 0) / n);
  const percentile = (p) => amounts[Math.ceil((p / 100) * n) - 1];
  const buckets = new Array(5).fill(0);
  for (const a of amounts) buckets[Math.min(4, Math.floor(a / 100))]++;
  return { total, mean: mean.toFixed(2), median, sd: sd.toFixed(2), p90: percentile(90), p99: percentile(99), buckets };
};
// expect: {"total":20000,"mean":"137.61","median":119.92,"sd":"96.13","p90":279.92,"p99":404.91,"buckets":[9216,6025,3056,1418,285]}
