async () => {
  const steps = ["Cairo", "Lisbon", "Nairobi", "Sydney"];
  const out = [];
  for (let i = 0; i < steps.length; i++) {
    progress(i, steps.length, `Checking ${steps[i]}…`);
    const { days } = await tools.weather.get_forecast({ city: steps[i], days: 2 });
    out.push({ city: steps[i], trend: days[1].high_c > days[0].high_c ? "warmer" : days[1].high_c < days[0].high_c ? "colder" : "same" });
  }
  progress(steps.length, steps.length, "Done");
  return out;
};
// expect: [{"city":"Cairo","trend":"warmer"},{"city":"Lisbon","trend":"colder"},{"city":"Nairobi","trend":"warmer"},{"city":"Sydney","trend":"warmer"}]
