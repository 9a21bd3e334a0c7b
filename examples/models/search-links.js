// Build links for the oldest open issues of each person.
const base = "https://tracker.example/issues";
const people = ["ada", "grace", "linus", "margaret"];

const links = [];
for (const assignee of people) {
  const { issues, total } = await tools.tracker.list_issues({ assignee, limit: 100 });
  const oldest = issues.at(-1);
  const url = new URL(`${base}/${oldest.number}`);
  url.searchParams.set("assignee", assignee);
  url.searchParams.set("title", oldest.title);
  links.push({ assignee, total, url: url.toString() });
}
return links;
// expect: [{"assignee":"ada","total":9,"url":"https://tracker.example/issues/7?assignee=ada&title=Upload+is+slow+with+many+rows"},{"assignee":"grace","total":8,"url":"https://tracker.example/issues/2?assignee=grace&title=The+mobile+menu+is+not+documented"},{"assignee":"linus","total":8,"url":"https://tracker.example/issues/4?assignee=linus&title=Search+is+not+documented"},{"assignee":"margaret","total":5,"url":"https://tracker.example/issues/9?assignee=margaret&title=Sync+leaks+memory+overnight"}]
