// expect: value: "none"
// Sloppy functions once could see who called them.
function look() {
  const out = [];
  try { out.push(look.caller); } catch {}
  try { out.push(arguments.callee.caller); } catch {}
  try { out.push(look.arguments); } catch {}
  return out.filter((x) => typeof x === "function" && x !== look && x.name !== "f");
}
const got = [];
[1].map(function f() { got.push(...look()); });
await parallel([async function f() { got.push(...look()); }]);
setTimeout(function f() { got.push(...look()); }, 0);
await sleep(2);
return got.length === 0 ? "none" : got.map(String);
