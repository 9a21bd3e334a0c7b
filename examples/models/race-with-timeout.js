// Whichever comes first
const withTimeout = (promise, ms) =>
  Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`timed out after ${ms} ms`)), ms)),
  ]);

const fast = await withTimeout(tools.lab.slow({ ms: 1 }), 30000);
let slow;
try {
  slow = await withTimeout(tools.lab.slow({ ms: 60000 }), 50);
} catch (e) {
  slow = e.message;
}
return { fast, slow };
// expect: {"fast":{"waited_ms":1},"slow":"timed out after 50 ms"}
