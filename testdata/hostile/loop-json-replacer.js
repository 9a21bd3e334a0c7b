// expect: CPU_LIMIT|HEAP_LIMIT|SCRIPT_ERROR
JSON.stringify({}, (k, v) => ({ a: {} }));
for (;;) JSON.stringify([[[]]], (k, v) => v);
