// expect: value: [["__proto__","constructor","a"],null,"function"]
const r = await callTool("s", "evil");
return [Object.keys(r), {}.admin, typeof {}.constructor];
