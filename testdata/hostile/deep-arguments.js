// expect: value: "INVALID_ARGUMENTS"
let a = 1;
for (let i = 0; i < 600; i++) a = { a };
try {
  await tools.s.t({ a });
} catch (e) {
  return e.code;
}
