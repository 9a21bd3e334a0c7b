async () => {
  const list = await resources.list();
  const byServer = Object.groupBy(list, (r) => r.server);
  const labels = await resources.read("tracker", "tracker://labels");
  const logo = await resources.read("lab", "lab://logo.png");
  return {
    uris: Object.fromEntries(Object.entries(byServer).sort().map(([s, rs]) => [s, rs.map((r) => r.uri).sort()])),
    labels,
    logo: { mimeType: logo.mimeType, png: atob(logo.blob).startsWith("\x89PNG") },
  };
};
// expect: {"uris":{"lab":["lab://logo.png"],"sales":["sales://notes"],"tracker":["tracker://guide","tracker://labels"],"weather":["weather://cities.csv"]},"labels":["bug","feature","docs","performance","security"],"logo":{"mimeType":"image/png","png":true}}
