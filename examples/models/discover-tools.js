// Look for what is there before calling it.
const servers = await catalog.servers();
const found = await catalog.search("create an issue in the tracker", { server: "tracker", limit: 3 });
const create = found.find((f) => f.tool === "create_issue");
const types = await catalog.types("weather", "get_forecast");

return {
  servers: servers.map((s) => s.name).sort(),
  tools: Object.keys(tools.sales).sort(),
  found: create !== undefined && create.server === "tracker",
  typed: /city/.test(types) && /days/.test(types),
};
// expect: {"servers":["lab","sales","tracker","weather"],"tools":["regions","rows"],"found":true,"typed":true}
