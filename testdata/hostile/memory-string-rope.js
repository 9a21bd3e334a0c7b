// expect: HEAP_LIMIT|SCRIPT_ERROR
let s = "x";
for (;;) s += s + "y";
