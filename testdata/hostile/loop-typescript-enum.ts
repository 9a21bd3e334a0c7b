// expect: CPU_LIMIT
enum E {
  A = (() => { for (;;) {} })() as any as number,
}
const e: E = E.A;
