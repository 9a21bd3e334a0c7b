async () => {
  const { rows } = await tools.sales.rows({});
  const fmt = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const months = {};

  rows.forEach((row) => {
    const month = row.date.slice(0, 7);
    months[month] ??= { revenue: 0, orders: 0 };
    months[month].revenue += row.amount;
    months[month].orders++;
  });

  const list = Object.keys(months).sort().map((m) => ({ month: m, ...months[m] }));
  const best = list.reduce((a, b) => (b.revenue > a.revenue ? b : a));
  const worst = list.reduce((a, b) => (b.revenue < a.revenue ? b : a));

  return {
    months: list.length,
    best: `${best.month}: ${fmt.format(best.revenue / 100)}`,
    worst: `${worst.month}: ${fmt.format(worst.revenue / 100)}`,
    average: fmt.format(list.reduce((s, m) => s + m.revenue, 0) / list.length / 100),
  };
};
// expect: {"months":12,"best":"2025-03: 249,765","worst":"2025-02: 209,340","average":"229,349"}
