async () => {
  const urgent = await forge.callTool("tracker", "list_issues", { limit: 100 });
  const details = await forge.parallel(
    urgent.issues
      .filter((i) => i.priority === 1)
      .map((i) => () => forge.callTool("tracker", "get_issue", { number: i.number })),
    { concurrency: 4 }
  );
  return details.map((d) => ({ number: d.number, comments: d.comments.length, body: d.body }));
}
// expect: [{"number":58,"comments":1,"body":"Export fails after a timeout. Seen in build 107."},{"number":57,"comments":2,"body":"Search leaks memory overnight. Seen in build 128."},{"number":52,"comments":1,"body":"Search is slow with many rows. Seen in build 123."},{"number":43,"comments":3,"body":"Sync is not documented. Seen in build 111."},{"number":42,"comments":1,"body":"Login needs a keyboard shortcut. Seen in build 114."},{"number":40,"comments":3,"body":"Login is not documented. Seen in build 123."},{"number":32,"comments":0,"body":"Login loses unsaved changes. Seen in build 109."},{"number":31,"comments":1,"body":"Upload fails after a timeout. Seen in build 120."},{"number":26,"comments":1,"body":"Upload is slow with many rows. Seen in build 148."},{"number":18,"comments":0,"body":"The invoice view is not documented. Seen in build 136."},{"number":16,"comments":2,"body":"The settings page loses unsaved changes. Seen in build 112."},{"number":15,"comments":0,"body":"Login fails after a timeout. Seen in build 137."},{"number":13,"comments":2,"body":"Search is not documented. Seen in build 144."},{"number":9,"comments":0,"body":"Sync leaks memory overnight. Seen in build 147."},{"number":5,"comments":2,"body":"The invoice view fails after a timeout. Seen in build 111."},{"number":2,"comments":3,"body":"The mobile menu is not documented. Seen in build 106."}]
