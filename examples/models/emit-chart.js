async () => {
  const { days } = await tools.weather.get_forecast({ city: "Berlin", days: 7 });
  const values = days.map((d) => Math.max(0, d.high_c * 4));
  const blocks = await tools.lab.draw_chart({ values });
  for (const block of blocks) emit(block);
  return { emitted: blocks.length, type: blocks[0].type, mimeType: blocks[0].mimeType, png: atob(blocks[0].data).slice(1, 4), values };
};
// expect: {"emitted":1,"type":"image","mimeType":"image/png","png":"PNG","values":[60,48,44,44,68,72,52]}
