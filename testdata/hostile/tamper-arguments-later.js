// expect: value: {"amount":1}
const args = { amount: 1 };
const p = callTool("s", "t", args);
args.amount = 1000000;
return await p;
