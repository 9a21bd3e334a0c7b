// expect: value: {"x":1}
// A name whose text changes each time it is asked for: what is sent is text.
let n = 0;
const name = { toString: () => "t" + n++ };
return await callTool("s", name, { x: 1 });
