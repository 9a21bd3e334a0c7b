async () => {
  const { issues } = await codemode.list_issues({ assignee: "grace", limit: 50 });
  const perPriority = issues.reduce((acc, { priority }) => ({ ...acc, ["p" + priority]: (acc["p" + priority] ?? 0) + 1 }), {});
  const echoed = await codemode.echo({ value: { who: "grace", n: issues.length } });
  return { ...echoed.value, perPriority };
};
// expect: {"who":"grace","n":8,"perPriority":{"p2":1,"p1":4,"p3":1,"p4":2}}
