// expect: value: true
// A stack names no file but the program, and nothing of the machine.
const stacks = [];
const e = await callTool("s", "fail", { fail: true }).catch((e) => e);
stacks.push(e.stack, new Error("x").stack);
setTimeout(() => stacks.push(new Error("y").stack), 0);
await sleep(2);
return !stacks.join("\n").replaceAll("program.js", "").match(/\.js\b|\.go\b|prelude|[/\\]/);
