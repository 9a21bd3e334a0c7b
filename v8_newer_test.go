package autoclave_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/node/nodetest"
)

// newer are escapes by what newer versions of V8 have: from the version named on
// they have the syntax. A function that a version lacks is not called there.
var newer = []struct {
	since        int
	name, source string
}{
	{12, "a way to Temporal", `if (typeof Temporal === "undefined" && "toTemporalInstant" in Date.prototype) escaped.push("it is not among the globals, and can be had")`},
	{12, "what newer versions have", `const bad = { get a() { throw new Error("mine") }, [Symbol.iterator]() { return { next() { throw new Error("mine") } } }, toString() { throw new Error("mine") } };
		for (const f of [() => Promise.try?.(() => { throw 1 }), () => Promise.try?.(1), () => Array.fromAsync?.(bad), () => Array.fromAsync?.(1), () => RegExp.escape?.(1), () => Error.isError?.(new Proxy({}, {})), () => Iterator.from?.(1), () => Iterator.from?.(bad).toArray(), () => Iterator.concat?.(bad, 1), () => Iterator.concat?.([1], [2]).toArray(),
			() => new Map().getOrInsertComputed?.(1, 1), () => new Map().getOrInsertComputed?.(1, (k) => { throw k }), () => Uint8Array.fromBase64?.("*"), () => Uint8Array.fromHex?.("x"), () => new Uint8Array(4).setFromBase64?.("****"), () => new Uint8Array(4).toBase64?.({ alphabet: bad }), () => Math.sumPrecise?.(bad), () => Math.f16round?.(bad), () => typeof Float16Array === "undefined" || new Float16Array(bad), () => new DataView(new ArrayBuffer(1)).getFloat16?.(0),
			() => Intl.DurationFormat && new Intl.DurationFormat("xx-invalid-locale-"), () => Intl.DurationFormat && new Intl.DurationFormat("en").format(bad), () => Intl.DurationFormat && new Intl.DurationFormat("en").formatToParts({ hours: 1 }), () => new Intl.Locale("de").getWeekInfo?.(), () => new Intl.Locale("de").getTimeZones?.(), () => JSON.rawJSON?.("{"), () => JSON.parse("[1]", (k, v, c) => { tryIt(c, "context of a reviver"); return v }),
			() => Object.groupBy?.(bad, (x) => x), () => new Set().union?.(bad), () => new ArrayBuffer(8, { maxByteLength: 16 }).transfer?.(bad), () => Symbol.dispose && [1].values()[Symbol.dispose]?.(), () => new Error("x", bad), () => Error.captureStackTrace(1)])
			await caught(String(f), f)`},
	{13, "disposal", `try { using a = { [Symbol.dispose]() { throw new Error("mine") } }; throw new Error("too") } catch (e) { tryIt(e, "suppressed"); tryIt(e.error, "its error"); tryIt(e.suppressed, "what it suppressed"); tryIt(e.constructor, "its constructor") }
		await caught("async disposal", async () => { await using a = { async [Symbol.asyncDispose]() { throw new Error("mine") } }; throw new Error("too") });
		await caught("not disposable", () => { using a = {} }); await caught("a disposer that is none", () => { using a = { [Symbol.dispose]: 1 } }); await caught("a getter", () => { using a = { get [Symbol.dispose]() { throw 1 } } });
		const disposer = { [Symbol.dispose]() { null.x } }; const deep = () => { using a = disposer; deep() }; try { deep() } catch (e) { for (let i = 0; i < 1e5 && e; i++, e = e.suppressed) tryIt(e, "at the end of the stack") }`},
	{13, "import of a source", `await caught("import", () => import.source("fs")); await caught("node:", () => import.source("node:fs")); await caught("symbol", () => import.source(Symbol())); await caught("specifier", () => import.source({ toString() { throw new Error("mine") } })); const p = import.source("x"); tryIt(p, "promise"); tryIt(p.constructor, "its constructor"); await caught("catch", () => p);
		let left = 1000; const deep = () => { try { deep() } catch { } if (left-- <= 0) return; const p = import.source("x"); tryIt(p, "deep import"); p.catch((e) => tryIt(e, "deep import rejected")) }; try { deep() } catch (e) { tryIt(e, "deep") } await sleep(5)`},
}

// TestV8NewerEscapes is TestV8Escapes for these.
func TestV8NewerEscapes(t *testing.T) {
	t.Parallel()
	major, err := strconv.Atoi(strings.SplitN(nodetest.Find(t).V8, ".", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker(), Limits: autoclave.Limits{CPU: time.Minute}}))
	for _, e := range newer {
		t.Run(e.name, func(t *testing.T) {
			if major < e.since {
				t.Skipf("V8 %d does not have the syntax", major)
			}
			tryEscape(t, rt, e.source)
		})
	}
}
