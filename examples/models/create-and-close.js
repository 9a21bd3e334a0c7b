const created = await tools.tracker.create_issue({
  title: "Search index is stale",
  body: "Seen after the last deploy.",
  labels: ["bug", "performance"],
  priority: 2,
});
console.log("Created issue", created.number);

await tools.tracker.add_comment({ number: created.number, body: "Reindexing now.", author: "ada" });
await tools.tracker.add_comment({ number: created.number, body: "Done." });
const closed = await tools.tracker.close_issue({ number: created.number });
const detail = await tools.tracker.get_issue({ number: created.number });

return {
  number: detail.number,
  state: closed.state,
  comments: detail.comments.map((c) => `${c.author}: ${c.body}`),
  labels: detail.labels.join(", "),
};
// expect: {"number":61,"state":"closed","comments":["ada: Reindexing now.","guest: Done."],"labels":"bug, performance"}
