// expect: SCRIPT_ERROR
const real = await callTool("s", "fail", { fail: true }).catch((e) => e);
const fake = Object.create(real);
throw fake;
