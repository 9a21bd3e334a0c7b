// expect: value: "slept"
Date.now = () => NaN;
globalThis.Date = null;
await sleep(2);
return "slept";
