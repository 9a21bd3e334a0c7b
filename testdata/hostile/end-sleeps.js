// expect: TIMEOUT
// limits: wall=400ms
await sleep(1e9);
