// Parse the CSV resource by hand.
const csv = await resources.read("weather", "weather://cities.csv");
const [header, ...lines] = csv.trim().split("\n");
const columns = header.split(",");

const rows = lines.map((line) => {
  const values = line.split(",");
  return Object.fromEntries(columns.map((c, i) => [c, isNaN(values[i]) ? values[i] : parseFloat(values[i])]));
});

const southern = rows.filter((r) => r.lat < 0).sort((a, b) => a.lat - b.lat);
return { columns, rows: rows.length, southern: southern.map((r) => `${r.city} (${r.country})`) };
// expect: {"columns":["city","country","lat","lon"],"rows":12,"southern":["Sydney (AU)","Santiago (CL)","Lima (PE)","Nairobi (KE)"]}
