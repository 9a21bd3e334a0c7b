// expect: value: "gone"
for (let i = 0; i < 20; i++) callTool("s", "t", { wait: true });
return "gone";
