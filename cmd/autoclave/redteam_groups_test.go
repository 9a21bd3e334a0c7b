package main

import (
	"fmt"
	"strings"
	"testing"
)

// The strict groups are inner, of vault and vault2, and deep, of cellar. The
// servers work and out are in none. judge fails where data of a vault has come
// to one of these; wants says which calls have left at all.
var redGroups = []attempt{
	{name: "read, then send", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + codesOf(`tools.out.echo({ text: d })`, `callTool("out", "echo", { text: "1" })`, `forge.callTool("work", "echo", {})`, `codemode.half({ text: d })`, `resources.read("out", "open://" + d)`, `resources.list("out")`, `tools.cellar.echo({ text: d })`, `parallel([() => tools.out.echo({ text: d })])`)}},
	{name: "read, then send within the group", sees: "VAULT", wants: "vault vault×1, vault2 echo×1", code: []string{read + `return await tools.vault2.echo({ text: d })`}},
	{name: "by one group into another, and back", sees: "POLICY_DENIED,POLICY_DENIED", wants: "cellar vault×1", code: []string{`const d = await tools.cellar.vault({}); const f = (s) => callTool(s, "echo", { text: d }).then(() => "OK", e => e.code); return [await f("vault"), await f("out")].join()`}},
	{name: "errors as a channel", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{`let d = ""; try { await tools.vault.vault({ how: "error" }); } catch (e) { d = e.message; } return await tools.out.echo({ text: d }).catch(e => e.code)`}},
	{name: "a tool's failure as a channel", sees: "POLICY_DENIED", wants: "vault vault×2", code: []string{`const d = await tools.vault.vault({ how: "iserror" }).catch(e => e.message + JSON.stringify(e.result)); const r = await tools.vault.vault({ how: "iserror" }, { raw: true }); return await tools.out.echo({ text: d + JSON.stringify(r) }).catch(e => e.code)`}},
	{name: "silence as a channel", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{`const e = await tools.vault.vault({ how: "hang" }, { timeout: 1500 }).catch(e => e.code); return await tools.out.echo({ text: e }).catch(e => e.code)`}},
	{name: "whether a call is made", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `const bits = []; for (const c of d) { const bit = c.charCodeAt(0) & 1; if (bit) bits.push(await tools.out.echo({}).catch(e => e.code)); else bits.push(await tools.work.half({ n: 0 }).catch(e => e.code)); } return [...new Set(bits)].join()`}},
	{name: "a resource", sees: "POLICY_DENIED", wants: "vault open://1×1", code: []string{`const d = await resources.read("vault", "open://1"); return await tools.out.echo({ text: d }).catch(e => e.code)`}},
	{name: "the list of resources", sees: "POLICY_DENIED", code: []string{`const d = await resources.list("vault"); return await tools.out.echo({ text: JSON.stringify(d) }).catch(e => e.code)`}},
	{name: "the list of all resources says nothing of strict groups", sees: "[]", wants: "out echo×1", code: []string{`const d = await resources.list(); await tools.out.echo({ text: JSON.stringify(d) }); return d.filter(r => ["vault", "vault2", "cellar"].includes(r.server))`}},
	{name: "the list of all resources, asked by who knows", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `const l = await resources.list(); return await tools.out.echo({ text: JSON.stringify(l) + d }).catch(e => e.code)`}},
	{name: "calls that are on their way while data comes", wants: "*", code: []string{
		`let d = ""; const reads = [], sends = []; for (let i = 0; i < 15; i++) { reads.push(tools.vault.vault({}).then(x => { d = x; })); for (let k = 0; k < 3; k++) sends.push(Promise.resolve().then(() => tools.out.echo({ text: d })).catch(() => 0)); await Promise.resolve(); if (i % 5 === 0) await sleep(1); } await Promise.allSettled([...reads, ...sends]); return 1`}},
	{name: "reads and sends at once", wants: "*", code: []string{
		`for (let i = 0; i < 20; i++) { let d = ""; await Promise.allSettled([tools.vault.vault({}).then(x => { d = x; return tools.out.echo({ text: x }); }), tools.out.echo({ get text() { return d; } }), sleep(0).then(() => tools.work.echo({ text: d }))]); } return 1`}},
	{name: "a call that waits for its turn while data comes", wants: "*", code: []string{
		`let d = ""; const sends = []; for (let i = 0; i < 30; i++) { const args = { get text() { return d; } }; sends.push(tools.out.echo(args).catch(() => 0)); if (i === 4) sends.push(tools.vault.vault({}).then(x => { d = x; })); } await Promise.allSettled(sends); return 1`}},

	// By way of the stash, to another program.
	{name: "stash: a value", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `await stash.put("k", d); return 1`, `const d = await stash.get("k"); return await tools.out.echo({ text: d }).catch(e => e.code)`}},
	{name: "stash: a value by way of a third program", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `await stash.put("k", d); return 1`, `await stash.put("l", await stash.get("k")); return 1`, `const d = await stash.get("l"); return await tools.out.echo({ text: d }).catch(e => e.code)`}},
	{name: "stash: the name of a key", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `await stash.put("k:" + d.replace(/[^A-Z0-9]/g, "-"), 1); return 1`, `const d = (await stash.keys()).join(); return await tools.out.echo({ text: d }).catch(e => e.code)`}},
	{name: "stash: how many keys there are", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `for (let i = 0; i < d.length; i++) await stash.put("n" + i, 1); return 1`, `const d = (await stash.keys()).length; return await tools.out.echo({ text: String(d) }).catch(e => e.code)`}},
	{name: "stash: that a key is there", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `if (d.length > 3) await stash.put("bit", 1); return 1`, `const d = await stash.get("bit"); return await tools.out.echo({ text: String(d) }).catch(e => e.code)`}},
	{name: "stash: that a key is not there", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `if (d.length < 3) await stash.put("bit", 1); return 1`, `const d = await stash.get("bit"); return await tools.out.echo({ text: String(d) }).catch(e => e.code)`}},
	{name: "stash: that a key was deleted", sees: "STASH_ERROR,true", wants: "out echo×1, vault vault×1", code: []string{`await stash.put("k", "kept"); return 1`, read + `await stash.delete("k").catch(e => e.code); return 1`,
		`const d = await stash.get("k"); const sent = await tools.out.echo({ text: String(d) }); return ["STASH_ERROR", d === "kept" && sent === "kept"].join()`}},
	{name: "stash: that a key was replaced", sees: "true", wants: "out echo×1, vault vault×1", code: []string{`await stash.put("k", "kept"); return 1`, read + `await stash.put("k", d).catch(e => e.code); return 1`, `const d = await stash.get("k"); return await tools.out.echo({ text: d }) === "kept"`}},
	{name: "stash: that an entry has expired", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `await stash.put("t", 1, { ttl: d.length > 3 ? 0.05 : 1000 }); return 1`, `await sleep(100); const d = await stash.get("t"); return await tools.out.echo({ text: String(d) }).catch(e => e.code)`}},
	{name: "stash: what delete says", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{read + `await stash.put("k", 1); return 1`, `const d = await stash.delete("k"); return await tools.out.echo({ text: String(d) }).catch(e => e.code)`}},
	{name: "stash: that it is full", sees: "STASH_ERROR POLICY_DENIED", wants: "vault vault×1", code: []string{fill, fill, fill, `const d = await stash.put("mine", 1).then(() => "room", e => e.code); return d + " " + await tools.out.echo({ text: d }).catch(e => e.code)`}},
	{name: "stash: put while the data comes", sees: "POLICY_DENIED", wants: "vault vault×1", code: []string{`let d = ""; await Promise.all([tools.vault.vault({}).then(x => stash.put("r", x)), stash.put("s", "s"), Promise.resolve().then(() => stash.put("u", d))]); return 1`, `const d = await stash.get("r"); return await tools.out.echo({ text: d }).catch(e => e.code)`}},
	{name: "stash: get and send at once", sees: "1", wants: "*", code: []string{read + `await stash.put("k", d); return 1`, `let d = ""; for (let i = 0; i < 20; i++) await Promise.allSettled([stash.get("k").then(x => { d = x; return tools.out.echo({ text: x }); }), tools.out.echo({ get text() { return d; } })]); return 1`}},
	{name: "stash: a result that was kept because it was cut", sees: "VAULT POLICY_DENIED", wants: "vault vault×1", code: []string{read + `return d + "x".repeat(50000)`, `const d = await stash.get("result:1"); return d.slice(0, 5) + " " + await tools.out.echo({ text: d }).catch(e => e.code)`}},
}

const (
	read = `const d = await tools.vault.vault({}); `
	// fill is a program with data that puts away as much as it may.
	fill = `if (globalThis.n === undefined) { const l = await stash.keys(); if (l.length === 0) await tools.vault.vault({}); for (let i = 0; i < 90; i++) await stash.put("f" + l.length + ":" + i, 1).catch(() => 0); } return 1`
)

func TestRedTeamGroups(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	w.attempts(t, redGroups)

	// Under a name, the stash is that of all sessions of one principal.
	named := func(t *testing.T, m *model, code string) string {
		t.Helper()
		return firstText(m.call(t, "execute", map[string]any{"code": code, "session": "shared"}))
	}
	t.Run("stash: under a name, from another session", func(t *testing.T) {
		w.arrived()
		one, two, bob := w.connect(t, redClient{}), w.connect(t, redClient{}), w.connect(t, redClient{token: "bob-bob-bob-bob-bob"})
		named(t, one, read+`await stash.put("k", d); return 1`)
		if got := named(t, two, `const d = await stash.get("k"); return d + await tools.out.echo({ text: d }).catch(e => e.code)`); !strings.Contains(got, "POLICY_DENIED") || !strings.Contains(got, vaultData) {
			t.Errorf("another session: %s", got)
		}
		if got := named(t, two, `return (await stash.get("absent") ?? "nothing") + await tools.out.echo({ text: "x" }).catch(e => e.code)`); got != "nothingPOLICY_DENIED" {
			t.Errorf("a key that is not there, from another session: %s", got)
		}
		if got := named(t, bob, `return (await stash.get("k") ?? "nothing") + (await stash.keys()).length`); got != "nothing0" {
			t.Errorf("another principal: %s", got)
		}
		judge(t, one, w.arrived())
	})

	// A program can end, or not end, while a call to a server outside is under
	// way. The server must not be told.
	t.Run("the end of the program", func(t *testing.T) {
		out, release := w.servers["out"], w.servers["out"].holdSlow()
		goOn := w.servers["work"].holdSlow()
		m := w.connect(t, redClient{})
		ready := make(chan bool, 1)
		go func() {
			ready <- out.await(1)
			goOn()
		}()
		if got := m.run(t, `tools.out.slow({}).catch(() => 0); await tools.work.slow({}); const d = await tools.vault.vault({}); return d.length > 0`); got != "true" || !<-ready {
			t.Errorf("the program says %s", got)
		}
		for range 3 { // whatever would have been said has been said by then
			m.run(t, `await tools.out.echo({ text: "x" }); return 1`)
		}
		if n := out.underWay(); n != 1 {
			t.Errorf("%d calls are under way: the server was told that the program has ended", n)
		}
		release()
		if !out.await(0) {
			t.Error("the call does not end")
		}
		judge(t, m, w.arrived())
	})
}

// With label_scope = "session" nothing comes back through the model.
func TestRedTeamGroupsThroughTheModel(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string]string{"execution": vaultData + " as a text", "session": "POLICY_DENIED"} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			w := startRed(t, "[policy]\nlabel_scope = \""+scope+"\"\n[groups.inner]\nservers = [\"vault\"]\nstrict = true\n", "")
			carry := func(from, to *model) string {
				d := from.run(t, `return await tools.vault.vault({})`)
				if !strings.Contains(d, vaultData) {
					t.Fatalf("the model got %s", d)
				}
				return to.run(t, fmt.Sprintf(`return await tools.out.echo({ text: %q }).catch(e => e.code)`, d))
			}
			one := w.connect(t, redClient{})
			if got := carry(one, one); got != want {
				t.Errorf("the model carries data on: %s, want %s", got, want)
			}
			if scope == "session" {
				// So does a program that knows nothing, as the model that wrote it may.
				if got := one.run(t, `return await tools.work.echo({ text: "1" }).catch(e => e.code)`); got != "POLICY_DENIED" {
					t.Errorf("a program that knows nothing: %s", got)
				}
				// A client whose protocol has no sessions is its principal's all the time.
				stateless := func() *model { return w.connect(t, redClient{protocol: "2026-07-28"}) }
				if got := carry(stateless(), stateless()); got != want {
					t.Errorf("without sessions: %s, want %s", got, want)
				}
			}
			// The limit: another session has had nothing. It is for whoever runs
			// the client not to have one model use two.
			if got := carry(w.connect(t, redClient{}), w.connect(t, redClient{})); got != vaultData+" as a text" {
				t.Errorf("another session: %s", got)
			}
		})
	}
}
