// expect: SYNTAX_ERROR|HEAP_LIMIT|value: null
const f = «()=>»*40000 1;
