// expect: SYNTAX_ERROR
type A = «Array<»*30000 number «>»*30000;
const a: A = 1 as any;
