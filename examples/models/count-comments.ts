type Issue = { number: number; comments: number };
type Detail = { number: number; comments: { author: string; body: string }[] };

async (): Promise<{ comments: number; authors: Record<string, number> }> => {
  const { issues } = (await tools.tracker.list_issues({ state: "closed", limit: 100 })) as { issues: Issue[] };
  const details = (await parallel(
    issues.filter((i) => i.comments > 0).map((i) => () => tools.tracker.get_issue({ number: i.number })),
    { concurrency: 6 },
  )) as Detail[];

  const authors: Record<string, number> = {};
  for (const c of details.flatMap((d) => d.comments)) authors[c.author] = (authors[c.author] ?? 0) + 1;
  const sorted = Object.fromEntries(Object.entries(authors).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
  return { comments: details.reduce((n, d) => n + d.comments.length, 0), authors: sorted };
};
// expect: {"comments":32,"authors":{"linus":12,"ada":9,"margaret":6,"grace":5}}
