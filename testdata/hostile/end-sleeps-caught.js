// expect: TIMEOUT
// limits: wall=400ms
for (;;) {
  try { await sleep(1e9); } catch {} finally { await sleep(1e9); }
}
