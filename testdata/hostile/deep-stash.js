// expect: value: "INVALID_ARGUMENTS"
let a = 1;
for (let i = 0; i < 600; i++) a = [a];
try {
  await stash.put("k", a);
} catch (e) {
  return e.code;
}
