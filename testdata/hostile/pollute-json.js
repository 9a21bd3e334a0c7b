// expect: value: {"a":1}
JSON.stringify = () => '{"forged":true}';
JSON.parse = () => ({ forged: true });
globalThis.JSON = null;
return await callTool("s", "t", { a: 1 });
