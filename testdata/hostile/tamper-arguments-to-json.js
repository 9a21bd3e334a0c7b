// expect: value: ["INVALID_ARGUMENTS","INVALID_ARGUMENTS",{"y":1}]
return [
  await callTool("s", "t", { toJSON: () => "no object" }).catch((e) => e.code),
  await callTool("s", "t", { toJSON() { throw new Error("x"); } }).catch((e) => e.code),
  await callTool("s", "t", { toJSON: () => ({ y: 1 }) }),
];
