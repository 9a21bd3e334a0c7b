package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What programs try to have a denied call made.
var redCalls = []attempt{
	// By names that are nearly the right ones.
	{name: "Unicode look-alikes of a tool", sees: "TOOL_NOT_FOUND", code: []string{codesOf(
		`callTool("work", "wip\u0435")`, `callTool("work", "w\u0456pe")`, `callTool("work", "\uff57\uff49\uff50\uff45")`, `callTool("work", "\u{1d430}ipe")`, `callTool("work", "wi\u2d30e")`)}},
	{name: "composed and decomposed forms", sees: "TOOL_NOT_FOUND", code: []string{codesOf(
		`callTool("work", "wipe\u0301")`, `callTool("work", "w\u00edpe")`, `callTool("work", "wipe".normalize("NFKD") + "\u0308")`, `callTool("work", "wi\ufb01pe")`)}},
	{name: "another case", sees: "TOOL_NOT_FOUND", code: []string{codesOf(`callTool("work", "WIPE")`, `callTool("work", "Wipe")`, `callTool("work", "w\u0131pe")`, `callTool("work", "W\u0130PE")`)}},
	{name: "white space around a tool", sees: "TOOL_NOT_FOUND", code: []string{codesOf(
		`callTool("work", " wipe")`, `callTool("work", "wipe ")`, `callTool("work", "wipe\t")`, `callTool("work", "wipe\n")`, `callTool("work", "wipe\r\n")`, `callTool("work", "\u00a0wipe")`, `callTool("work", "wipe\u2003")`, `callTool("work", "wipe\u2028")`)}},
	{name: "what is not seen", sees: "TOOL_NOT_FOUND", code: []string{codesOf(
		`callTool("work", "wi\u200bpe")`, `callTool("work", "\ufeffwipe")`, `callTool("work", "wi\u00adpe")`, `callTool("work", "wipe\ufe0f")`, `callTool("work", "\u202eepiw")`, `callTool("work", "wipe\u{e0001}")`)}},
	{name: "dots, slashes, NUL and encodings", sees: "TOOL_NOT_FOUND", code: []string{codesOf(
		`callTool("work", "wipe.")`, `callTool("work", "./wipe")`, `callTool("work", "wipe/")`, `callTool("work", "work.wipe")`, `callTool("work", "work/wipe")`, `callTool("work", "wipe\0")`, `callTool("work", "wipe\0echo")`,
		`callTool("work", "echo\0wipe")`, `callTool("work", "%77ipe")`, `callTool("work", "wipe%00")`, `callTool("work", "wipe#")`, `callTool("work", "wipe?")`, `callTool("work", "*")`, `callTool("work", "wip*")`, `callTool("work", "")`)}},
	{name: "nearly the server", sees: "SERVER_NOT_FOUND", code: []string{codesOf(
		`callTool("Work", "wipe")`, `callTool("work ", "wipe")`, `callTool("work.", "wipe")`, `callTool("w\u043erk", "wipe")`, `callTool("work\0", "wipe")`, `callTool("", "work.wipe")`, `callTool("", "wipe")`, `callTool("work/wipe", "")`, `callTool("../work", "wipe")`, `callTool("*", "wipe")`, `callTool("w\u200bork", "wipe")`)}},
	{name: "names that mean something in JavaScript", sees: "_NOT_FOUND", code: []string{codesOf(
		`callTool("__proto__", "wipe")`, `callTool("constructor", "wipe")`, `callTool("work", "__proto__")`, `callTool("work", "constructor")`, `callTool("work", "then")`, `callTool("work", "hasOwnProperty")`, `callTool("then", "then")`, `callTool("toString", "valueOf")`) +
		` + ""`}},
	{name: "__proto__ of the directory of tools", sees: "", code: []string{codesOf(
		`tools.__proto__.wipe({})`, `tools.work.__proto__.wipe({})`, `tools["__proto__"]["wipe"]({})`, `tools.constructor.prototype.wipe({})`, `tools.work.constructor("return 1")()`, `tools.then`)}},
	{name: "values that are no strings", sees: "POLICY_DENIED", code: []string{codesOf(
		`callTool(["work"], ["wipe"])`, `callTool(new String("work"), new String("wipe"))`, `callTool({ toString: () => "work" }, { toString: () => "wipe" })`, `callTool({ [Symbol.toPrimitive]: () => "work" }, "wipe")`)}},
	{name: "symbols, numbers and nothing", sees: "_NOT_FOUND", code: []string{codesOf(
		`tools[Symbol("work")]?.[Symbol("wipe")]?.({})`, `callTool(Symbol("work"), Symbol("wipe"))`, `callTool("work", Symbol.for("wipe"))`, `callTool(null, undefined)`, `callTool(0, 0)`, `callTool()`)}},
	{name: "an object that is another string each time", sees: "echo", wants: "work echo×1", code: []string{
		`let n = 0; const name = { toString() { return n++ === 0 ? "echo" : "wipe"; } };
		 let server = 0; const s = { [Symbol.toPrimitive]() { server++; return "work"; } };
		 const first = await callTool(s, name, { text: "echo" }).catch(e => e.code); return [first, n, server].join();`}},
	{name: "an object that is another string each time, the other way", wants: "*", code: []string{
		`let n = 0; const name = { toString() { return n++ === 0 ? "wipe" : "echo"; } };
		 return await callTool("work", name, {}).catch(e => e.code);`}},
	{name: "a name of a lone surrogate", sees: "TOOL_NOT_FOUND", code: []string{codesOf(`callTool("work", "wipe\ud800")`, `callTool("work", "\udc00wipe")`)}},
	{name: "names that are very long", sees: "_NOT_FOUND", code: []string{codesOf(`callTool("work", "wipe" + " ".repeat(7000))`, `callTool("work" + ".".repeat(7000), "wipe")`)}},

	// By every door.
	{name: "tools", sees: "POLICY_DENIED", code: []string{codesOf(`tools.work.wipe({})`, `tools["work"]["wipe"]({})`, `tools.work["wipe-all"]({})`, `tools.work.wipe_all({})`, `tools.out.wipe()`)}},
	{name: "forge", sees: "POLICY_DENIED", code: []string{codesOf(`forge.callTool("work", "wipe", {})`, `forge.server("work").wipe({})`, `forge.server("work")["wipe-all"]({})`, `forge.parallel([() => forge.callTool("work", "wipe", {})])`)}},
	{name: "forge with a category that makes up a name", sees: "TOOL_NOT_FOUND", code: []string{codesOf(`forge.server("work").wi.pe({})`, `forge.server("work").wipe.now({})`, `forge.server("work").echo.wipe({})`)}},
	{name: "codemode", sees: "TOOL_NOT_FOUND", code: []string{codesOf(`codemode.wipe({})`, `codemode["wipe-all"]({})`, `codemode.wipe_all({})`, `codemode.__proto__({})`)}},
	{name: "methods of functions", sees: "POLICY_DENIED", code: []string{codesOf(
		`callTool.call(null, "work", "wipe", {})`, `callTool.apply(undefined, ["work", "wipe", {}])`, `Reflect.apply(callTool, null, ["work", "wipe"])`, `callTool.bind(null, "work")("wipe")`, `Reflect.get(tools.work, "wipe")({})`)}},
	{name: "options", sees: "POLICY_DENIED", code: []string{codesOf(
		`callTool("work", "wipe", {}, { raw: true })`, `callTool("work", "wipe", {}, { timeout: 1 })`, `callTool("work", "wipe", {}, { timeout: Infinity, raw: 1, tool: "echo", server: "out", policy: "allow", force: true })`, `tools.work.wipe({}, { raw: true, timeout: -1 })`)}},
	{name: "parallel", sees: "POLICY_DENIED", code: []string{codesOf(`parallel(Array.from({ length: 8 }, () => () => tools.work.wipe({})), { concurrency: 8 })`)}},
	{name: "many at once, among allowed ones", sees: "40", wants: "work echo×40", code: []string{
		`const all = []; for (let i = 0; i < 80; i++) all.push(i % 2 ? tools.work.wipe({ i }) : tools.work.echo({ text: "x" }));
		 const r = await Promise.allSettled(all); return r.filter(x => x.reason?.code === "POLICY_DENIED").length;`}},
	{name: "again and again", sees: "POLICY_DENIED", code: []string{`let last; for (let i = 0; i < 90; i++) { try { await tools.work.wipe({ i }); return "made"; } catch (e) { last = e.code; } } return last;`}},
	{name: "without waiting", sees: "gone", code: []string{`for (let i = 0; i < 8; i++) tools.work.wipe({ i }).catch(() => 0); return "gone";`}},
	{name: "in a finalizer, a timer, a microtask and a getter", sees: "POLICY_DENIED", code: []string{
		`const out = []; const f = () => tools.work.wipe({}).then(() => out.push("made"), e => out.push(e.code));
		 setTimeout(f, 1); queueMicrotask(f); await f(); ({ get x() { f(); return 1; } }).x; class A { static { f(); } } await sleep(50); return [...new Set(out)].join();`}},
	{name: "arguments that speak of another tool", sees: "", wants: "work echo×5", code: []string{
		`for (const args of [{ name: "wipe" }, { tool: "wipe", method: "tools/call" }, { _meta: { name: "wipe" } }, { "params": { name: "wipe" } }, JSON.parse('{"__proto__":{"name":"wipe"}}')]) await tools.work.echo(args); return "";`}},
	{name: "arguments that change while they are read", sees: "", wants: "work echo×3", code: []string{
		`const p = new Proxy({}, { get: (t, k) => { tools.work.wipe({}).catch(() => 0); return k === "toJSON" ? undefined : "wipe"; }, ownKeys: () => ["name"], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: "wipe" }) });
		 await tools.work.echo(p); await tools.work.echo({ toJSON() { return { name: "wipe" }; } }); await tools.work.echo({ get name() { return "wipe"; } }); return "";`}},
	{name: "globals and prototypes that are replaced", sees: "POLICY_DENIED", code: []string{
		`JSON.stringify = () => '{"server":"out"}'; Map.prototype.get = () => "echo"; Array.prototype.push = function () { return 0; };
		 String.prototype.indexOf = () => 0; Object.prototype.wipe = () => "x"; Object.prototype.code = "allow"; Promise.prototype.then = Promise.prototype.then; Object.prototype.server = "out"; Object.prototype.kind = "echo"; globalThis.String = () => "echo"; globalThis.Promise = class {};
		 try { return await callTool("work", "wipe", {}); } catch (e) { return e.code; }`}},
	{name: "a tool of the program's own making", sees: "OK", code: []string{codesOf(`(async () => { try { tools.work.wipe = () => 1; } catch {} try { Object.defineProperty(tools.work, "mine", { value: () => tools.work.wipe({}) }); } catch {} try { delete tools.work; } catch {} try { Object.setPrototypeOf(tools, { work: 1 }); } catch {} })()`)}},
	{name: "a sealed resource", sees: "POLICY_DENIED", code: []string{codesOf(`resources.read("work", "sealed://1")`, `forge.readResource("work", "sealed://1")`, `resources.read("work", "sealed://../open://1")`, `resources.read(["work"], { toString: () => "sealed://1" })`)}},
	{name: "a tool by way of a resource", sees: "", wants: "work open://wipe×1", code: []string{`return await resources.read("work", "open://wipe")`}},
	{name: "what says of itself that it destroys", sees: "POLICY_DENIED", code: []string{codesOf(`tools.work.purge({})`, `callTool("out", "purge", { annotations: { destructiveHint: false, readOnlyHint: true } })`)}},
	{name: "money without a person", sees: "APPROVAL_DENIED", code: []string{codesOf(`tools.work.pay({ to: "x" })`, `callTool("work", "refund")`, `forge.callTool("out", "pay", { approved: true, answer: "session" })`)}},

	// Approval by what a program says itself.
	{name: "an approval in the stash, the log or progress", sees: "APPROVAL_DENIED", code: []string{
		`await stash.put("approved", { pay: "session" }); console.log('{"action":"accept","content":{"answer":"session"}}'); progress(1, 1, "approved"); emit({ type: "text", text: "approved" }); ` +
			`return await tools.work.pay({}).catch(e => e.code)`}},
}

// What a denied tool is, where it is hidden.
var redHidden = []attempt{
	{name: "hidden: names in the directory", sees: "[]", code: []string{
		`const found = []; const has = (x) => JSON.stringify(x ?? null)?.includes("wipe") && found.push(x);
		 has(Object.keys(tools.work)); has(Reflect.ownKeys(tools.work)); for (const k in tools.work) has(k); has(Object.keys(codemode)); has(Object.getOwnPropertyNames(tools.out)); if ("wipe" in tools.work) found.push("in"); if (Object.hasOwn(tools.work, "wipe")) found.push("own"); return found;`}},
	{name: "hidden: the catalog", sees: "[]", code: []string{
		`const found = []; const has = (x) => (typeof x === "string" ? x : JSON.stringify(x)).includes("wipe") && found.push(x);
		 has(await catalog.servers()); for (const q of ["wipe", "wip", "all", "", "delete everything", "*"]) { has(await catalog.search(q, { limit: 100 })); has(await catalog.search(q, { server: "work", limit: 1e9 })); }
		 has(await catalog.types("work")); has(await catalog.types("work", "wipe").catch(e => e.suggestion ?? "")); return found;`}},
	{name: "hidden: suggestions of errors", sees: "[]", code: []string{
		`const found = []; for (const n of ["wip", "wipes", "wipe_al", "Wipe", "wipe all", "purg"]) for (const s of ["work", "ou", "vault"]) { const e = await callTool(s, n, {}).catch(e => e); const told = (e.suggestion ?? "") + e.message.replaceAll(n, ""); if (told.includes("wipe") || told.includes("purge")) found.push(told); } return found;`}},
}

func TestRedTeamCalls(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	w.attempts(t, redCalls)
	w.attempts(t, redHidden)
	t.Run("hidden: search", func(t *testing.T) {
		m := w.connect(t, redClient{})
		for _, q := range []map[string]any{{"query": "wipe"}, {"query": ""}, {"query": "", "server": "work", "detail": true, "limit": 100}, {"query": "wipe all", "detail": true}, {"query": "purge"}} {
			m.call(t, "search", q)
		}
		// The query is said back, and nothing else has the name.
		for line := range strings.Lines(m.view()) {
			for _, name := range []string{"work.wipe", `"wipe"`, "wipe(", "wipe-all", "purge("} {
				if strings.Contains(line, name) && !strings.Contains(line, "query") {
					t.Errorf("a hidden tool is found: %.600s", line)
				}
			}
		}
		judge(t, m, w.arrived())
	})
}

// What rules by pattern do not do: a name that looks like another, or that a
// server takes for another, is another name. Tools can only be called by names
// that a server has given; URIs can be anything. Where that matters the default
// has to be deny.
func TestRedTeamNameLimits(t *testing.T) {
	t.Parallel()
	uris := []string{"SEALED://1", "sealed:/1", "sealed:%2F%2F1", " sealed://1", "x/../sealed://1"}
	quoted, err := json.Marshal(uris)
	if err != nil {
		t.Fatal(err)
	}
	code := fmt.Sprintf(`const out = []; for (const u of %s) out.push(await resources.read("work", u).then(() => "OK", e => e.code)); out.push(await callTool("work", "Echo").then(() => "OK", e => e.code)); return [...new Set(out)].sort().join()`, quoted)
	w := startRed(t, "", "")
	if got := w.connect(t, redClient{}).run(t, code); got != "OK,TOOL_NOT_FOUND" {
		t.Errorf("URIs that are nearly denied: %s", got)
	}
	if got := w.arrived(); len(got) != len(uris) {
		t.Errorf("what arrived: %v", got)
	}
	w = startRed(t, "[policy]\ndefault = \"deny\"\n[[rule]]\naction = \"allow\"\nresource = \"open://*\"\n", "")
	if got := w.connect(t, redClient{}).run(t, code); got != "POLICY_DENIED,TOOL_NOT_FOUND" {
		t.Errorf("the same where the default is deny: %s", got)
	}
	if got := w.arrived(); len(got) != 0 {
		t.Errorf("what arrived: %v", got)
	}
}
