// expect: SYNTAX_ERROR|SCRIPT_ERROR|value: 1|HEAP_LIMIT
let o = { a: 1 };
o.a = o;
return o«?.a»*50000 === o ? 1 : 0;
