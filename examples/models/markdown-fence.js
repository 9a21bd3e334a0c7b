```js
// Sure! Here is the program:
const issues = (await tools.tracker.list_issues({ label: "security", state: "all", limit: 100 })).issues;

const open = issues.filter(i => i.state === 'open');
const closed = issues.filter(i => i.state === 'closed');

return { open: open.length, closed: closed.length, ratio: +(closed.length / issues.length).toFixed(2) };
```
// expect: {"open":10,"closed":7,"ratio":0.41}
