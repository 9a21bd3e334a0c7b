package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// How programs try to get a secret out that a server says.
var redSecrets = []attempt{
	{name: "secret: in the result of a tool", sees: "the key is", wants: "work reveal×1", code: []string{`return await tools.work.reveal({})`}},
	{name: "secret: in structured content, and as the name of a member", wants: "work reveal×2", code: []string{`return [await tools.work.reveal({ how: "structured" }), await tools.work.reveal({ how: "key" })]`}},
	{name: "secret: in the whole MCP result, _meta included", wants: "work reveal×2", code: []string{`return [await tools.work.reveal({ how: "meta" }, { raw: true }), await tools.work.reveal({ how: "iserror" }, { raw: true })]`}},
	{name: "secret: in an error that nobody catches", sees: "cannot log in with", wants: "work reveal×1", code: []string{`return await tools.work.reveal({ how: "error" })`}},
	{name: "secret: in an error that is caught", sees: "cannot log in with", wants: "work reveal×1", code: []string{`try { await tools.work.reveal({ how: "error" }); } catch (e) { return [e.message, e.stack, String(e), e.suggestion, { ...e }, e.result, e.cause]; }`}},
	{name: "secret: in a tool's own failure", sees: "TOOL_ERROR", wants: "work reveal×2", code: []string{`const e = await tools.work.reveal({ how: "iserror" }).catch(e => e); console.log(e, e.result); await tools.work.reveal({ how: "iserror" });`}},
	{name: "secret: base64, with letters before it", wants: "work reveal×2", code: []string{`return [await tools.work.reveal({ how: "base64" }), await tools.work.reveal({ how: "base64url" })]`}},
	{name: "secret: base64, decoded by the program", wants: "*", code: []string{`return [atob((await tools.work.reveal({ how: "base64" })).slice(3)), await tools.work.reveal({ how: "base64url" }).then(s => { try { return atob(s.replace(/-/g, "+").replace(/_/g, "/")); } catch { return s; } })]`}},
	{name: "secret: hexadecimal", wants: "work reveal×2", code: []string{`return [await tools.work.reveal({ how: "hex" }), await tools.work.reveal({ how: "HEX" })]`}},
	{name: "secret: percent-encoded, some of it and all", wants: "work reveal×2", code: []string{`return [await tools.work.reveal({ how: "url" }), await tools.work.reveal({ how: "allurl" })]`}},
	{name: "secret: in capitals, as HTML, JSON in JSON in JSON, and \\u escapes", wants: "work reveal×4", code: []string{`const out = []; for (const how of ["upper", "html", "json in json", "unicode escapes"]) out.push(await tools.work.reveal({ how })); return out;`}},
	{name: "secret: the bytes of an image", wants: "work reveal×2", code: []string{`const r = await tools.work.reveal({ how: "blob" }, { raw: true }); for (const b of r.content) emit(b); return await tools.work.reveal({ how: "blob" });`}},
	{name: "secret: a resource, its URI and the blob", wants: "work open://leak×1", code: []string{`return await resources.read("work", "open://leak")`}},
	{name: "secret: a header of the configuration that a server says back", sees: "401", wants: "work reveal×1", code: []string{`return await tools.work.reveal({ how: "header" })`}},
	{name: "secret: progress of a server", sees: "progressed", wants: "work reveal×1", code: []string{`return await tools.work.reveal({ how: "progress" })`}},
	{name: "secret: log messages of a server", sees: "logged", wants: "work reveal×1", code: []string{`return await tools.work.reveal({ how: "log" })`}},

	{name: "secret: what the program itself gets to see, to transform it or to send it on", sees: "[]", wants: "*", code: []string{
		`const found = []; for (const how of ["", "structured", "key", "meta", "iserror", "error", "base64", "hex", "allurl", "html"]) for (const raw of [true, false]) {
			const r = await callTool("work", "reveal", { how }, { raw }).catch(e => [e.message, e.result, e.suggestion]); const text = JSON.stringify(r) + (typeof r === "string" ? r : "");
			for (const n of ["hunter", "Xq7", "Tz4", "aHVudGVy", "68756e746572", "%68%75%6e", "&#104;&#117;"]) if (text.includes(n)) found.push([how, raw, n].join()); }
		 for (const x of [await resources.read("work", "open://leak"), await tools.work.reveal({ how: "header" }).catch(e => e.message)]) if (/hunter|upstreamT0/.test(JSON.stringify(x))) found.push(x.length); return found`}},

	// In halves, which nobody can know, put together by the program.
	{name: "halves: the value", wants: "work half×2", code: []string{joined + `return s`}},
	{name: "halves: a member's name, and a value deep within", wants: "work half×2", code: []string{joined + `return { [s]: [[{ a: [s] }]], b: s + s, c: "x" + s + "y" }`}},
	{name: "halves: the console, at each level and as an object", wants: "work half×2", code: []string{joined + `for (const l of ["log", "info", "warn", "error", "debug"]) console[l]("at", l, s); console.log({ s }, [s], new Error(s), new Map([[s, s]])); return 1`}},
	{name: "halves: two arguments of one line", wants: "work half×2", code: []string{joined + `console.log("%s%s", a, b); console.log(a + b); return 1`}},
	{name: "halves: emitted blocks", wants: "work half×2", code: []string{joined + `emit({ type: "text", text: s }); emit({ type: "resource", resource: { uri: "x://" + s, text: s } }); emit({ type: "resource_link", uri: s, name: s, description: s }); emit({ type: "image", mimeType: "image/" + s, data: btoa(s) }); emit({ type: "text", text: "x", [s]: s, _meta: { s } }); return 1`}},
	{name: "halves: a thrown error", sees: "SCRIPT_ERROR", wants: "work half×2", code: []string{joined + `throw new Error(s)`}},
	{name: "halves: a thrown value, its name and its cause", sees: "SCRIPT_ERROR", wants: "work half×2", code: []string{joined + `class E extends Error { get name() { return s; } } throw new E(s, { cause: new Error(s) })`}},
	{name: "halves: a thrown string", sees: "SCRIPT_ERROR", wants: "work half×2", code: []string{joined + `throw s`}},
	{name: "halves: a rejection that nobody waits for", wants: "work half×2", code: []string{joined + `Promise.reject(new Error(s)); await sleep(10); return 1`}},
	{name: "halves: progress", sees: "1", wants: "work half×2", code: []string{joined + `progress(1, 3, s); await sleep(150); progress(2, 3, "x" + s); await sleep(150); return 1`}},
	{name: "halves: the name of a tool", sees: "TOOL_NOT_FOUND", wants: "work half×2", code: []string{joined + `await sleep(150); await callTool("work", s).catch(() => 0); await sleep(300); await callTool("work", s)`}},
	{name: "halves: the name of a server", sees: "SERVER_NOT_FOUND", wants: "work half×2", code: []string{joined + `await callTool(s, "echo").catch(() => 0); await sleep(300); await callTool(s, "echo")`}},
	{name: "halves: the URI of a resource", sees: "resource", wants: "*", code: []string{joined + `await resources.read("work", "open://" + s).catch(() => 0); await sleep(300); return await resources.read("work", "open://" + s)`}},
	{name: "halves: a key of the stash", sees: "STASH_ERROR", wants: "work half×2", code: []string{joined + `await stash.put(s, 1)`}},
	{name: "halves: put away, and got by the next program", wants: "work half×2", code: []string{joined + `await stash.put("k", { s, t: s }); return 1`, `return await stash.get("k")`}},
	{name: "halves: put away apart, and joined by the next program", wants: "work half×2", code: []string{joined + `await stash.put("a", a); await stash.put("b", b); return 1`, `return await stash.get("a") + await stash.get("b")`}},
	{name: "halves: said back by a tool, in its arguments, its result and its failure", wants: "*", code: []string{joined + `return [await tools.work.echo({ text: s }), await tools.out.echo({ text: "x" + s })]`}},
	{name: "halves: wrong arguments that an error shows", wants: "*", code: []string{joined + `return await callTool("work", "echo", s).catch(e => e.message + e.suggestion)`}},
	{name: "halves: base64, hexadecimal, percent and HTML of the program's own", wants: "work half×2", code: []string{joined +
		`const hex = [...s].map(c => c.charCodeAt(0).toString(16).padStart(2, "0")).join(""); return [btoa(s), btoa("x" + s), btoa("xy" + s).replace(/\+/g, "-").replace(/\//g, "_"), hex, hex.toUpperCase(), encodeURIComponent(s), [...s].map(c => "&#" + c.charCodeAt(0) + ";").join(""), escape(s)]`}},
	{name: "halves: a warning about a block", wants: "work half×2", code: []string{joined + `emit({ type: "image", mimeType: s, data: "" }); emit({ type: "resource", resource: { uri: s } }); return 1`}},
	{name: "halves: what cannot be encoded", sees: "INVALID_RESULT", wants: "work half×2", code: []string{joined + `const x = { [s]: 1n }; x[s + "2"] = x; return x`}},

	// Where it is cut.
	{name: "cut: the end of a long result, kept in the stash", sees: "true", wants: "work reveal×1", code: []string{`return await tools.work.reveal({ how: "far" })`,
		`const all = await stash.get("result:1"); console.log(all.slice(-200)); emit({ type: "text", text: all.slice(-300) }); return all.length > 40000`}},
	{name: "cut: joined, and kept in the stash", sees: "true", wants: "work half×2", code: []string{joined + `return { pad: "x".repeat(50000), s }`,
		`const all = await stash.get("result:1"); return all.pad.length === 50000 && all.s.length > 3 && !console.log(all.s)`}},
	{name: "cut: across the end of what is shown", wants: "work reveal×1", code: []string{`return await tools.work.reveal({ how: "across the cut" })`}},
	{name: "cut: across the end of a long error", sees: "xxx", wants: "work reveal×2", code: []string{`await tools.work.reveal({ how: "far error" }).catch(e => console.log(e.message.slice(-60))); return await tools.work.reveal({ how: "far error" })`}},
	{name: "cut: across the end of what a console line may have", wants: "work half×2", code: []string{joined + `console.log("x".repeat(8192 - 12) + s); return 1`}},
	{name: "cut: a program that meets a limit says what it had", sees: "OUTPUT_LIMIT", wants: "work half×2", code: []string{joined + `console.log(s); emit({ type: "text", text: s }); return s.repeat(100000)`}},
}

// joined is a program's beginning: s is the secret.
const joined = `const a = await tools.work.half({ n: 0 }), b = await tools.work.half({ n: 1 }), s = a + b; `

func TestRedTeamSecrets(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	w.attempts(t, redSecrets)
	t.Run("halves: the limits of the time", func(t *testing.T) {
		m := w.connect(t, redClient{})
		res := m.call(t, "execute", map[string]any{"code": joined + `console.log(s); progress(1, 2, s); while (true) await sleep(5)`, "timeout_ms": 1500})
		if !res.IsError || !strings.Contains(firstText(res), "TIMEOUT") {
			t.Errorf("the program says %s", firstText(res))
		}
		judge(t, m, w.arrived())
	})
	t.Run("the record has all, for who may read it", func(t *testing.T) {
		raw, err := os.ReadFile(w.audit)
		if err != nil || !strings.Contains(string(raw), "cannot log in with hunter") {
			t.Errorf("%v: the audit lacks the full text of an error", err)
		}
	})
}

// What redaction does not find, and SECURITY.md says so: a program that has a
// secret and wants it out can have it out.
func TestRedTeamSecretLimits(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	for name, code := range map[string]string{
		"reversed":               joined + `return [...s].reverse().join("")`,
		"in two strings":         joined + `return [a, b]`,
		"a letter a line":        joined + `for (const c of s) console.log(c); return 1`,
		"base64 twice":           joined + `return btoa(btoa(s))`,
		"in two lines":           joined + `console.log(a); console.log(b); return 1`,
		"in two programs":        joined + `return a`,
		"one letter is replaced": joined + `return s.replace("q", "qq")`,
	} {
		m := w.connect(t, redClient{})
		if text := m.run(t, code); strings.Contains(text, "ERROR") {
			t.Errorf("%s: %s", name, text)
		}
		view := m.view()
		if leaks(view, redSecret) == "" && !strings.Contains(view, "4zT=9pZ") && !strings.Contains(view, "YUhWdWRHVnlM") && name != "a letter a line" && name != "one letter is replaced" {
			t.Errorf("%s: it is found by now: SECURITY.md can promise it", name)
		}
	}
	w.arrived()
}

// What a server asks the client goes to a person, or to the client's own model:
// it says whose question it is, and has no secret.
func TestRedTeamQuestions(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	m := w.connect(t, redClient{person: always("no"), samples: true})
	if got := m.run(t, joined+`return [await tools.work.pose({ how: "log in with " + s }), await tools.work.sample({ how: "log in with " + s })].length`); got != "2" {
		t.Errorf("the program says %s", got)
	}
	asked := m.questions()
	if len(asked) != 2 {
		t.Fatalf("%d questions: %q", len(asked), asked)
	}
	for _, q := range asked {
		if leak := leaks(q, redSecret); leak != "" {
			t.Errorf("%s in %q", leak, q)
		}
	}
	if !strings.Contains(asked[0]+asked[1], `The server \"work\" asks: `) && !strings.Contains(asked[0]+asked[1], `The server "work" asks: `) {
		t.Errorf("nobody says whose question it is: %q", asked)
	}
	judge(t, m, w.arrived())
}

// Names are what calls must give, and stay as they are.
func TestRedTeamNamesOfTools(t *testing.T) {
	t.Parallel()
	named := newRecorder(t, "named", redTool("get_"+redHeader, ""))
	w := startRed(t, named.config(""), "")
	m := w.connect(t, redClient{})
	m.call(t, "search", map[string]any{"query": "", "server": "named"})
	if leaks(m.view(), redHeader) == "" {
		t.Error("it is found by now: SECURITY.md can promise it")
	}
}

// What servers say of themselves is for the model too.
func TestRedTeamCatalogSecrets(t *testing.T) {
	t.Parallel()
	tool := fmt.Sprintf(`{"name":"leaky","title":%s,"description":%s,"inputSchema":{"type":"object","properties":{"k":{"type":"string","description":%s,"enum":[%s,"x"]}}}}`,
		jsonText("T "+redSecret), jsonText("Uses the key "+redSecret+" by default. Bearer "+redHeader), jsonText("as "+redSecret), jsonText(redSecret))
	leaky := newRecorder(t, "leaky", tool, redTool("echo", ""))
	leaky.resources = []string{fmt.Sprintf(`{"uri":"open://x","name":"n","description":%s}`, jsonText(redSecret)), fmt.Sprintf(`{"uri":%s,"name":%s}`, jsonText("open://"+redSecret), jsonText(redSecret))}
	w := startRed(t, leaky.config("")+fmt.Sprintf("[servers.down]\nurl = \"http://127.0.0.1:9/mcp?key=%s\"\n", "pathSecret99887766"), "")
	m := w.connect(t, redClient{})
	for _, q := range []map[string]any{{"query": ""}, {"query": "leaky", "detail": true}, {"query": "", "server": "leaky", "detail": true}, {"query": "hunter"}, {"query": "", "server": "down"}} {
		m.call(t, "search", q)
	}
	text := m.run(t, `const out = [await catalog.servers(), await catalog.search("leaky"), await catalog.types("leaky"), await catalog.types("leaky", "leaky"), await resources.list("leaky"), await resources.list()];
		out.push(await tools.leaky.leaky({ k: "y" }).catch(e => e.message), await tools.down.x({}).catch(e => e.message), await tools.leaky.leakyy().catch(e => e.suggestion)); return out;`)
	var all []any
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 9 {
		t.Errorf("%v: the program says %s", err, text)
	}
	if found := leaks(m.view(), "pathSecret99887766"); found != "" {
		t.Errorf("the client saw of the secret of a URL: %q", found)
	}
	judge(t, m, w.arrived())
}
