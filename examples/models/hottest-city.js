async () => {
  const { cities } = await tools.weather.list_cities();
  const forecasts = await Promise.all(
    cities.map((c) => tools.weather.get_forecast({ city: c.name, days: 1 }))
  );
  const today = forecasts.map((f) => ({ city: f.city, high: f.days[0].high_c, low: f.days[0].low_c }));
  today.sort((a, b) => b.high - a.high || a.city.localeCompare(b.city));
  return { hottest: today[0], coldest: today.at(-1), mean: Math.round((today.reduce((s, t) => s + t.high, 0) / today.length) * 10) / 10 };
};
// expect: {"hottest":{"city":"Lima","high":27,"low":22},"coldest":{"city":"Oslo","high":7,"low":-1},"mean":17.8}
