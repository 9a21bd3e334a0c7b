const main = async () => {
  const regions = (await tools.sales.regions({})).regions;
  const { rows } = await tools.sales.rows({ limit: 1000 });

  const table = Object.fromEntries(regions.map((r) => [r, 0]));
  for (const { region, quantity } of rows) table[region] += quantity;

  return table;
};

main();
// expect: {"north":1133,"south":1055,"east":1080,"west":952,"islands":775}
