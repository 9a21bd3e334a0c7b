// Ask three servers at once, and answer with no more than what matters.
//
//	autoclave run examples/quickstart.js
async () => {
  const [bugs, oslo, lisbon, regions] = await Promise.all([
    tools.tracker.list_issues({ label: "bug", limit: 100 }),
    tools.weather.get_forecast({ city: "Oslo", days: 1 }),
    tools.weather.get_forecast({ city: "Lisbon", days: 1 }),
    tools.sales.regions(),
  ]);

  const urgent = bugs.issues.filter((issue) => issue.priority <= 2);
  console.log(`${bugs.total} open bugs, ${urgent.length} of them urgent`);

  const [today, there] = [oslo.days[0], lisbon.days[0]];
  return {
    urgent: urgent.map((issue) => `#${issue.number} ${issue.title}`),
    warmer: there.high_c > today.high_c ? lisbon.city : oslo.city,
    regions: regions.regions.length,
  };
};
// expect: {"urgent":["#54 Upload leaks memory overnight","#38 Login leaks memory overnight","#28 The settings page leaks memory overnight","#24 Export loses unsaved changes"],"warmer":"Lisbon","regions":5}
