// expect: SYNTAX_ERROR
const s = `${`${`${
