// expect: SYNTAX_ERROR|value: 1
type A = { «a:{»*2000 b: 1 «}»*2000 };
const x: number = 1;
return x;
