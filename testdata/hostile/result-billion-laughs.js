// expect: OUTPUT_LIMIT|HEAP_LIMIT|CPU_LIMIT|SCRIPT_ERROR
let a = ["lol"];
for (let i = 0; i < 40; i++) a = [a, a];
return a;
