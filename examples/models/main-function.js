// Define the main function and call it at the end.
async function getUnassigned() {
  const result = await tools.tracker.list_issues({ limit: 100 });
  return result.issues.filter((i) => !i.assignee);
}

async function main() {
  const unassigned = await getUnassigned();
  unassigned.sort((a, b) => a.priority - b.priority || a.number - b.number);
  return {
    count: unassigned.length,
    next: unassigned.slice(0, 3).map((i) => i.number),
  };
}

main();
// expect: {"count":9,"next":[5,15,24]}
