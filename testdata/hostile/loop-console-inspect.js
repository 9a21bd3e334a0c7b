// expect: CPU_LIMIT
// Formatting for the console runs the program's traps.
console.log(new Proxy({}, { ownKeys() { for (;;) {} }, getPrototypeOf() { for (;;) {} } }));
for (;;) {}
