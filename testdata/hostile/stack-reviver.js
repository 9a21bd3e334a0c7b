// expect: SCRIPT_ERROR
const f = () => JSON.parse("[1]", f);
f();
