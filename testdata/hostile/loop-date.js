// expect: CPU_LIMIT
// Waits for a moment that does not come.
const end = Date.now() + 1e9;
while (Date.now() < end);
