// expect: EMIT_LIMIT
for (;;) emit({ type: "text", text: "x".repeat(100000) });
