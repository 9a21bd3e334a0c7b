// expect: value: "INVALID_ARGUMENTS"
// JSON.rawJSON writes text as it stands, a lone surrogate too, which is no
// UTF-8: it must not reach the pipe.
if (!JSON.rawJSON) return "INVALID_ARGUMENTS";
const raw = JSON.rawJSON(String.fromCharCode(34, 0xd800, 34));
return await callTool("s", "t", { raw }).catch((e) => e.code);
