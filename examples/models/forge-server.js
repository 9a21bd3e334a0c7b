async () => {
  const tracker = forge.server("tracker");
  const weather = forge.server("weather");

  const [labels, station] = await Promise.all([
    tracker.count_by_label({}),
    weather.get_station({ city: "Oslo" }),
  ]);
  const guide = await forge.readResource("tracker", "tracker://guide");

  return {
    labels: Object.keys(labels.open).sort(),
    station: station.id,
    guide: guide.split("\n")[0].replace(/^#\s*/, ""),
  };
}
// expect: {"labels":["bug","docs","feature","performance","security"],"station":"ST008","guide":"Filing issues"}
