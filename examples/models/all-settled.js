const cities = ["Oslo", "Atlantis", "Lima", "Gotham"];
const results = await Promise.allSettled(cities.map((city) => tools.weather.describe_weather({ city })));

const ok = [];
const failed = [];
results.forEach((r, i) => {
  if (r.status === "fulfilled") ok.push(r.value);
  else failed.push({ city: cities[i], code: r.reason.code, known: r.reason.message.includes("Reykjavik") });
});

return { ok, failed };
// expect: {"ok":["Oslo: sunny, -1 to 7 °C, 0.0 mm of rain.","Lima: sunny, 22 to 27 °C, 0.0 mm of rain."],"failed":[{"city":"Atlantis","code":"TOOL_ERROR","known":true},{"city":"Gotham","code":"TOOL_ERROR","known":true}]}
