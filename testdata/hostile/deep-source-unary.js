// expect: SYNTAX_ERROR|value: null|SCRIPT_ERROR
const a = «!»*200000 1;
