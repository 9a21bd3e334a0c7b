// Who has open security or performance issues, and who has both?
const people = async (label) => {
  const { issues } = await tools.tracker.list_issues({ label, limit: 100 });
  return new Set(issues.map((i) => i.assignee).filter(Boolean));
};
const [security, performance] = await Promise.all([people("security"), people("performance")]);

return {
  either: security.union(performance),
  both: [...security].filter((p) => performance.has(p)).sort(),
  onlySecurity: security.difference(performance),
}
// expect: {"either":["linus","ada","grace","margaret"],"both":["ada","grace","linus","margaret"],"onlySecurity":[]}
