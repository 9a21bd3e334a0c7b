// expect: value: [[1,2],36]
const proto = Object.getPrototypeOf(Uint8Array.prototype);
for (const k of ["length", "byteLength", "buffer", Symbol.toStringTag]) Object.defineProperty(proto, k, { get() { throw new Error("stolen"); } });
return [new Uint8Array([1, 2]), crypto.randomUUID().length];
