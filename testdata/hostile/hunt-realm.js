// expect: value: [true,true,true]
// Whatever the host hands over comes from this realm, not from another one.
const r = await callTool("s", "t", { a: [1], d: { x: 1 } });
const e = await callTool("s", "fail", { fail: true }).catch((e) => e);
return [r.constructor === Object && r.a.constructor === Array, e instanceof Error, callTool("s", "t").constructor === Promise];
