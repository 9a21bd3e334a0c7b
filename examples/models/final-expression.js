const forecast = await tools.weather.get_forecast({ city: "Kyoto", days: 7 });
const highs = forecast.days.map((d) => d.high_c);
const rainy = forecast.days.filter((d) => d.condition === "rain");

({
  city: forecast.city,
  range: [Math.min(...highs), Math.max(...highs)],
  rainyDays: rainy.map((d) => d.day),
  totalRain: Number(rainy.reduce((s, d) => s + d.rain_mm, 0).toFixed(1)),
})
// expect: {"city":"Kyoto","range":[19,23],"rainyDays":["tomorrow","+2","+4"],"totalRain":16}
