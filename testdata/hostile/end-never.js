// expect: NEVER_SETTLES
await new Promise(() => {});
