// expect: HEAP_LIMIT|SCRIPT_ERROR
let s = "xxxxxxxx";
for (;;) s = `${s}${s}${s}`.slice();
