// expect: value: ["undefined","undefined","undefined"]
// Threads and shared memory would make a clock of any precision.
return [typeof Atomics, typeof SharedArrayBuffer, typeof WebAssembly];
