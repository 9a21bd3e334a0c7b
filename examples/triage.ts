// TypeScript: the types are stripped, and help whoever writes the program.
interface Issue {
  number: number;
  title: string;
  priority: 1 | 2 | 3 | 4;
  assignee?: string;
  labels: string[];
}

interface Page {
  issues: Issue[];
  total: number;
}

type Load = Record<string, number>;

async function openIssues(): Promise<Issue[]> {
  const all: Issue[] = [];
  for (;;) {
    const page: Page = await tools.tracker.list_issues({ limit: 15, offset: all.length });
    all.push(...page.issues);
    if (page.issues.length === 0 || all.length >= page.total) return all;
  }
}

export default async (): Promise<{ nobody: number[]; busiest: string; load: Load }> => {
  const issues = await openIssues();
  const load: Load = {};
  for (const { assignee } of issues) {
    if (assignee !== undefined) load[assignee] = (load[assignee] ?? 0) + 1;
  }
  const urgent = issues.filter((i) => i.priority <= 2 && i.labels.includes("security"));
  return {
    nobody: urgent.filter((i) => !i.assignee).map((i) => i.number),
    busiest: Object.keys(load).reduce((a, b) => (load[b]! > load[a]! ? b : a)),
    load,
  };
};
// expect: {"nobody":[15],"busiest":"ada","load":{"linus":8,"grace":8,"margaret":5,"ada":9}}
