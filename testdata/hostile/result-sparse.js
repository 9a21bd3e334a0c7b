// expect: OUTPUT_LIMIT|HEAP_LIMIT|CPU_LIMIT|SCRIPT_ERROR
const a = [];
a[2 ** 32 - 2] = 1;
return a;
