// expect: SCRIPT_ERROR
// A stack that names lines which the program does not have.
const e = new Error("x");
e.stack = "    at f (program.js:99999999999999999999:1)\n    at g (program.js:-5:0)\n".repeat(10000);
throw e;
