// Twenty thousand rows, two megabytes, go into the program. Half a dozen lines
// come out: that is all that the model has to read.
async () => {
  const { rows } = await tools.sales.rows();

  const byRegion = {};
  const byProduct = {};
  for (const row of rows) {
    byRegion[row.region] = (byRegion[row.region] ?? 0) + row.amount;
    byProduct[row.product] = (byProduct[row.product] ?? 0) + row.quantity;
  }
  const [product, quantity] = Object.entries(byProduct).sort((a, b) => b[1] - a[1])[0];
  const december = rows.filter((row) => row.date.startsWith("2025-12"));

  return {
    rows: rows.length,
    revenue: Object.fromEntries(Object.entries(byRegion).sort().map(([region, cents]) => [region, cents / 100])),
    bestSeller: { product, quantity },
    december: december.length,
  };
};
// expect: {"rows":20000,"revenue":{"east":537037.38,"islands":553995.86,"north":557697.59,"south":559753.63,"west":543698.08},"bestSeller":{"product":"toaster","quantity":12801},"december":1706}
