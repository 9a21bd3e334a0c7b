// expect: value: {"n":7}|NEVER_SETTLES|CPU_LIMIT
return { then(resolve) { setTimeout(() => resolve({ n: 7 }), 5); } };
