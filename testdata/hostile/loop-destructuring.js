// expect: CPU_LIMIT
const { a } = new Proxy({}, { get() { for (;;) {} } });
