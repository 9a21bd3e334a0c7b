// expect: SYNTAX_ERROR|value: null|SCRIPT_ERROR|HEAP_LIMIT
const a = 1 «+1»*100000;
