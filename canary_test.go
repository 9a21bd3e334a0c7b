package autoclave_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
)

// leaver leaves behind whatever a program can, and first looks for what the
// one before it has left.
const leaver = `async () => {
	const found = [];
	const look = (name, f) => { let v; try { v = f() } catch (e) { v = undefined } if (v) found.push(name) };
	look("global", () => globalThis.canary);
	look("hidden global", () => Object.getOwnPropertyNames(globalThis).some((k) => k.startsWith("canary")));
	look("prototype", () => ({}).canary || [].canary || (() => 0).canary || "".canary || (0).canary || true.canary);
	look("symbol", () => Symbol.for("canary").description !== "canary" || globalThis[Symbol.for("canary")]);
	look("console", () => console.canary || console.log.canary);
	look("json", () => JSON.stringify({ a: 1 }) !== '{"a":1}' || JSON.parse("[2]")[0] !== 2);
	look("promise", () => Promise.prototype.then.canary || Promise.canary);
	look("array", () => [3, 1, 2].sort().join() !== "1,2,3" || [1].map((x) => x).canary);
	look("tools", () => tools.canary !== undefined && "canary" in tools);
	look("error", () => Error.prepareStackTrace || Error.stackTraceLimit === 7);
	look("math", () => Math.max(1, 2) !== 2 || Math.canary);
	look("regexp", () => RegExp.$1 === "canary" || !/a/.test("a"));
	look("date", () => Date.now() < 1e12);
	look("error class", () => HostError.canary);

	globalThis.canary = 1;
	Object.defineProperty(globalThis, "canary_hidden", { value: 1, enumerable: false, configurable: false });
	for (const p of [Object.prototype, Array.prototype, Function.prototype, String.prototype, Number.prototype, Boolean.prototype]) p.canary = 1;
	globalThis[Symbol.for("canary")] = 1;
	console.canary = 1; console.log.canary = 1;
	JSON.stringify = () => "stolen"; JSON.parse = () => "stolen";
	Promise.canary = 1; Promise.prototype.then.canary = 1;
	Array.prototype.sort = function () { return this };
	Array.prototype.map = Object.assign(() => [], { canary: 1 });
	try { tools.canary = () => 1 } catch {}
	Error.prepareStackTrace = () => "stolen"; Error.stackTraceLimit = 7;
	Math.max = () => 0; Math.canary = 1;
	/(canary)/.exec("canary"); RegExp.prototype.test = () => false;
	Date.now = () => 1;
	HostError.canary = 1;
	setTimeout(() => { globalThis.canary = "from a timer" }, 1);
	setTimeout(() => { for (;;) {} }, 5);
	new Promise(() => {});
	Promise.resolve().then(function again() { globalThis.canary = "from a job" });
	tools.s.late({ wait: true }).then(() => { globalThis.canary = "from a late answer" }, () => {});
	Object.freeze(Object.prototype);
	return found;
}`

// TestFreshIsolate runs, in the same worker, programs each of which leaves
// what it can and looks for what the one before it left.
func TestFreshIsolate(t *testing.T) {
	t.Parallel()
	n := 1000
	if testing.Short() || raceEnabled {
		n = 100
	}
	freshIsolates(t, autoclave.Config{Pool: oneWorker()}, n)
}

// TestFreshIsolateV8 is the same on V8.
func TestFreshIsolateV8(t *testing.T) {
	t.Parallel()
	freshIsolates(t, v8(t, autoclave.Config{Pool: oneWorker()}), 60)
}

func freshIsolates(t *testing.T, cfg autoclave.Config, n int) {
	rt := open(t, cfg)
	// A late answer comes when its execution has ended and the next is under
	// way.
	release := make(chan struct{})
	var late atomic.Int64
	host := autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
		if c.Tool == "late" {
			<-ctx.Done()
			select {
			case <-release:
			case <-time.After(2 * time.Millisecond):
			}
			late.Add(1)
			return autoclave.JSONValue("late")
		}
		return autoclave.JSONValue("now")
	})
	var pid int
	var generation uint64
	for i := range n {
		res := execute(t, rt, leaver, host)
		if got := string(res.Value); got != "[]" {
			t.Fatalf("execution %d found %s of the one before it", i, got)
		}
		if i > 0 && (res.Worker.PID != pid || res.Worker.Generation != generation+1) {
			t.Fatalf("execution %d was in worker %d, generation %d; want %d, %d\n%+v", i, res.Worker.PID, res.Worker.Generation, pid, generation+1, rt.Stats())
		}
		pid, generation = res.Worker.PID, res.Worker.Generation
		// And one that looks with calls of its own in flight.
		if i%10 == 0 {
			res = execute(t, rt, `const a = await tools.s.now({}); await sleep(3); return [a, typeof globalThis.canary]`, host)
			generation = res.Worker.Generation
			if got := string(res.Value); got != `["now","undefined"]` {
				t.Fatalf("after execution %d: %s", i, got)
			}
		}
	}
	close(release)
	if late.Load() == 0 {
		t.Error("no answer was late")
	}
}

// TestRandomnessIsSeeded: no two executions draw the same.
func TestRandomnessIsSeeded(t *testing.T) {
	t.Parallel()
	randomnessIsSeeded(t, autoclave.Config{Pool: oneWorker()})
}

// TestRandomnessIsSeededV8 is the same on V8.
func TestRandomnessIsSeededV8(t *testing.T) {
	t.Parallel()
	randomnessIsSeeded(t, v8(t, autoclave.Config{Pool: oneWorker()}))
}

func randomnessIsSeeded(t *testing.T, cfg autoclave.Config) {
	rt := open(t, cfg)
	seen := map[string]bool{}
	for range 50 {
		res := execute(t, rt, `[Math.random(), crypto.randomUUID(), Array.from(crypto.getRandomValues(new Uint8Array(8))).join()].join(" ")`, patient)
		if seen[string(res.Value)] {
			t.Fatalf("drawn twice: %s", res.Value)
		}
		seen[string(res.Value)] = true
	}
}

// TestNothingAmbient looks for what a program must not see.
func TestNothingAmbient(t *testing.T) {
	t.Parallel()
	nothingAmbient(t, autoclave.Config{})
}

// TestNothingAmbientV8 is the same on V8.
func TestNothingAmbientV8(t *testing.T) {
	t.Parallel()
	nothingAmbient(t, v8(t, autoclave.Config{Pool: oneWorker()}))
}

func nothingAmbient(t *testing.T, cfg autoclave.Config) {
	rt := open(t, cfg)
	res := execute(t, rt, `async () => {
		const names = ["require", "process", "fetch", "Deno", "Bun", "fs", "os", "std", "print", "scriptArgs", "WebAssembly", "importScripts", "XMLHttpRequest", "performance", "navigator", "gc", "loadScript", "Worker", "Atomics"];
		const there = names.filter((n) => typeof globalThis[n] !== "undefined");
		const refused = [];
		for (const [name, f] of Object.entries({
			eval: () => (0, eval)("1"),
			Function: () => new Function("return 1")(),
			constructor: () => (() => 0).constructor("return 1")(),
			async: () => (async () => 0).constructor("return 1")(),
			generator: () => (function* () {}).constructor("yield 1")(),
			asyncGenerator: () => (async function* () {}).constructor("yield 1")(),
			timer: () => setTimeout("globalThis.x = 1", 0),
		})) { try { f(); there.push(name) } catch (e) { refused.push(name) } }
		return { there, refused: refused.length };
	}`, patient)
	if got := string(res.Value); !strings.Contains(got, `"there":[]`) || !strings.Contains(got, `"refused":7`) {
		t.Errorf("got %s", got)
	}
}
