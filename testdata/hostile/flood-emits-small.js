// expect: EMIT_LIMIT|CPU_LIMIT
for (;;) emit({ type: "text" });
