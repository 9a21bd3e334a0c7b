// expect: value: {"a":1,"r":{"x":1}}
// Everything that the prelude might look up in an object that lacks it.
for (const k of ["then", "toJSON", "code", "message", "server", "tool", "retryable", "timeout", "raw", "settle", "concurrency", "fn", "isError", "content", "structuredContent", "contents", "type", "text", "get", "set", "writable", "enumerable", "configurable", "status", "reason", "callback", "args", "limit", "ttl", "cause", "stack", "errors"]) {
  if (k === "then" || k === "toJSON" || k === "get" || k === "set") continue;
  Object.prototype[k] = "forged";
}
const r = await tools.s.t({ x: 1 });
const out = { a: 1, r: {} };
for (const k of Object.keys(r)) out.r[k] = r[k];
return out;
