// expect: SCRIPT_ERROR
const o = { toString: () => "" + o };
"" + o;
