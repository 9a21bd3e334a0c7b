const pipe = (...fns) => (x) => fns.reduce((v, f) => f(v), x);
const groupSum = (key, value) => (rows) =>
  rows.reduce((m, r) => m.set(key(r), (m.get(key(r)) ?? 0) + value(r)), new Map());
const top = (n) => (m) => [...m].sort((a, b) => b[1] - a[1]).slice(0, n);

async () => {
  const { rows } = await tools.sales.rows();
  const byWeekday = pipe(
    groupSum((r) => new Date(r.date).getUTCDay(), () => 1),
    (m) => ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].map((d, i) => [d, m.get(i)]),
    Object.fromEntries,
  )(rows);
  const topProducts = pipe(groupSum((r) => r.product, (r) => r.quantity), top(2))(rows);
  return { byWeekday, topProducts };
};
// expect: {"byWeekday":{"Sun":2755,"Mon":2927,"Tue":2858,"Wed":2941,"Thu":2871,"Fri":2857,"Sat":2791},"topProducts":[["toaster",12801],["scales",12645]]}
