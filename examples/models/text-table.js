const { issues } = await tools.tracker.list_issues({ label: "docs", limit: 5 });
const width = Math.max(...issues.map((i) => i.title.length));
const lines = [
  `${"#".padStart(3)}  ${"Title".padEnd(width)}  Prio`,
  `${"-".repeat(3)}  ${"-".repeat(width)}  ----`,
  ...issues.map(({ number, title, priority }) => `${String(number).padStart(3)}  ${title.padEnd(width)}  ${"*".repeat(5 - priority)}`),
];
console.table?.(issues);
return lines.map((l) => l.trimEnd());
// expect: ["  #  Title                                      Prio","---  -----------------------------------------  ----"," 55  Login loses unsaved changes                *"," 43  Sync is not documented                     ****"," 40  Login is not documented                    ****"," 29  Export fails after a timeout               ***"," 27  The mobile menu needs a keyboard shortcut  *"]
