// expect: SCRIPT_ERROR
// Only the host makes codes.
const e = new HostError("made up");
Object.defineProperty(e, "code", { value: "POLICY_DENIED", enumerable: true });
throw e;
