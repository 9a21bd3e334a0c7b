// expect: STASH_ERROR|CALL_LIMIT
for (let i = 0; ; i++) await stash.put("key" + i, "x".repeat(1000));
