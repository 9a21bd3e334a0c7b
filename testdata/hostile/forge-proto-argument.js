// expect: value: [["__proto__"],null]
const r = await callTool("s", "t", JSON.parse('{"__proto__":{"admin":true}}'));
return [Object.keys(r), {}.admin];
