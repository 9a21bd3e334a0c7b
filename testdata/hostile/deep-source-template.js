// expect: SYNTAX_ERROR
const s = «`${»*30000 1 «}`»*30000;
