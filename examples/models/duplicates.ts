interface Issue {
  readonly number: number;
  readonly title: string;
  readonly state: "open" | "closed";
}

const { issues } = (await tools.tracker.list_issues({ state: "all", limit: 100 })) satisfies { issues: unknown };

const groups = Map.groupBy(issues as Issue[], (issue) => issue.title);
const duplicates = [...groups]
  .filter(([, list]) => list.length > 1)
  .map(([title, list]) => ({ title, numbers: list.map((i) => i.number).toSorted((a, b) => a - b), open: list.some((i) => i.state === "open") }))
  .sort((a, b) => b.numbers.length - a.numbers.length || a.title.localeCompare(b.title));

return { titles: groups.size, duplicates: duplicates.slice(0, 3) };
// expect: {"titles":35,"duplicates":[{"title":"The mobile menu loses unsaved changes","numbers":[11,30,33,48],"open":true},{"title":"Export fails after a timeout","numbers":[20,29,58],"open":true},{"title":"Login loses unsaved changes","numbers":[8,32,55],"open":true}]}
