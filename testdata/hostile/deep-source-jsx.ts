// expect: SYNTAX_ERROR
const a: any = «<a>»*50000;
