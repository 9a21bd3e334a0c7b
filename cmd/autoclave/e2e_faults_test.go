package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func newJournal(t *testing.T) string { return filepath.Join(t.TempDir(), "journal") }

// oneWorker is a configuration under which a program that goes on keeps all
// others from running.
const oneWorker = "[pool]\nmin_workers = 1\nmin_idle = \"none\"\nmax_workers = 1\n[limits]\ncpu = \"250s\"\ncall_timeout = \"250s\"\n"

func TestProgressReachesTheClient(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		servers, _ := realServers(t)
		c := startSDK(t, sdkOptions{SDK: sdk, Args: mcpConfig(t, map[string]mcpServer{"everything": servers["everything"]})})

		// What the server says within a call.
		id := c.beginExecute(`return await tools.everything["trigger-long-running-operation"]({ duration: 1, steps: 5 })`)
		if res := c.result(id); res.IsError || !strings.Contains(res.text(), "completed") {
			t.Fatal(res.text())
		}
		rising(t, c.progress(id), 3)

		// A program that ends at once would have its last words come together with
		// its result, and the SDK forgets who listens when it sees that. So these
		// end when the client has seen them.
		seen := func(code string, fits func(sdkProgress) bool) {
			t.Helper()
			id := c.beginExecute(code + `; while (!(await stash.get("seen"))) await sleep(20); await stash.delete("seen"); return "seen"`)
			c.await("progress of "+code, func(e sdkEvent) bool {
				var p sdkProgress
				return e.Event == "progress" && e.Of == id && json.Unmarshal(e.Params, &p) == nil && fits(p)
			})
			c.execute(`await stash.put("seen", true)`)
			if res := c.result(id); res.text() != "seen" {
				t.Errorf("%s: %s", code, res.text())
			}
			rising(t, c.progress(id), 1)
		}
		// The calls that are done.
		seen(`for (let i = 0; i < 5; i++) await tools.everything.echo({ message: "x" })`, func(p sdkProgress) bool { return p.Progress >= 5 })
		// What the program says.
		seen(`for (let i = 1; i <= 4; i++) progress(i, 4, "step " + i)`, func(p sdkProgress) bool { return p == sdkProgress{4, 4, "step 4"} })
	})
}

// rising checks that there are at least so many, and that the numbers rise, as
// the protocol wants it.
func rising(t *testing.T, all []sdkProgress, atLeast int) {
	t.Helper()
	if len(all) < atLeast {
		t.Fatalf("the client saw %d progress notifications: %+v", len(all), all)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Progress <= all[i-1].Progress {
			t.Errorf("progress does not rise: %+v", all)
		}
	}
}

func TestLogReachesTheClient(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		c := startSDK(t, sdkOptions{SDK: sdk, Args: mcpConfig(t, map[string]mcpServer{"peer": peerServer(t, newJournal(t))})})
		// Of the newer protocol, each request has its own level.
		args := map[string]any{"tool": "execute", "level": "warning", "args": map[string]any{
			"code": `console.log("beneath"); console.warn("at the level"); console.error("above"); await sleep(50); return 1`,
		}}
		if sdk == "v1" {
			c.do("level", map[string]any{"level": "warning"}, nil)
			delete(args, "level")
		}
		c.do("call", args, nil)
		c.await("the line above the level", func(e sdkEvent) bool { return e.Event == "log" && strings.Contains(string(e.Params), "above") })
		c.mu.Lock()
		defer c.mu.Unlock()
		var got []string
		for _, e := range c.events {
			if e.Event == "log" {
				var p struct{ Level, Data string }
				if err := json.Unmarshal(e.Params, &p); err != nil {
					t.Fatalf("%v: %s", err, e.Params)
				}
				got = append(got, p.Level+" "+p.Data)
			}
		}
		if want := "warning at the level, error above"; strings.Join(got, ", ") != want {
			t.Errorf("the client saw %q, not %q", got, want)
		}
	})
}

// When the client cancels, the server hears of it, and the program ends.
func TestCancel(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		journal := newJournal(t)
		c := startSDK(t, sdkOptions{SDK: sdk, Args: tomlConfig(t, map[string]mcpServer{"peer": peerServer(t, journal)}, oneWorker)})

		id := c.beginExecute(`
		try { await tools.peer.wait() } catch {}
		await tools.peer.note({ text: "went on" });`)
		readJournal(t, journal, "waiting")
		c.do("cancel", map[string]any{"of": id}, nil)
		if a := c.answer(id); a.Error == nil {
			t.Errorf("the cancelled call was answered: %s", a.Result)
		}
		readJournal(t, journal, "cancelled: ")
		// There is one worker: this one runs because that one has ended.
		c.value(`return (await tools.peer.note({ text: "afterwards" }))`, `"noted"`)
		if text := readJournal(t, journal, "afterwards"); strings.Contains(text, "went on") {
			t.Errorf("the cancelled program went on:\n%s", text)
		}

		// One that computes is killed.
		id = c.beginExecute(`await tools.peer.note({ text: "computing" }); for (;;);`)
		readJournal(t, journal, "computing")
		c.do("cancel", map[string]any{"of": id}, nil)
		c.value(`return "the worker is free"`, `"the worker is free"`)

		// One does not hear of another's.
		ids := []int{c.beginExecute(`await sleep(1e6)`)}
		for range 5 {
			ids = append(ids, c.beginExecute(`return "next"`))
		}
		c.do("cancel", map[string]any{"of": ids[0]}, nil)
		for _, id := range ids[1:] {
			if res := c.result(id); res.text() != "next" {
				t.Errorf("a program beside the cancelled one: %s", res.text())
			}
		}
	})
}

// What a server asks is answered by the client.
func TestServersAskTheClient(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		servers, _ := realServers(t)
		args := mcpConfig(t, map[string]mcpServer{"everything": servers["everything"]})
		c := startSDK(t, sdkOptions{SDK: sdk, Args: args, Answers: map[string]any{
			"elicitation": map[string]any{"action": "accept", "content": map[string]any{"name": "Grace Hopper", "check": true, "integer": 17}},
			"sampling":    map[string]any{"model": "a-model", "role": "assistant", "content": map[string]any{"type": "text", "text": "sampled words"}},
			"roots":       map[string]any{"roots": []any{map[string]any{"uri": "file:///tmp/e2e-root", "name": "the root"}}},
		}})
		for _, p := range []struct{ method, asked, code, want string }{
			{"elicitation/create", "Please provide inputs", `
			const blocks = await tools.everything["trigger-elicitation-request"]();
			const { action, content } = JSON.parse(blocks.at(-1).text.replace(/^\s*Raw result: /, ""));
			return [action, content.name, content.check, content.integer];`, `["accept","Grace Hopper",true,17]`},
			{"sampling/createMessage", "say something", `
			const text = await tools.everything["trigger-sampling-request"]({ prompt: "say something", maxTokens: 20 });
			const { model, content } = JSON.parse(text.replace(/^[^{]*/, ""));
			return [model, content.text];`, `["a-model","sampled words"]`},
			{"roots/list", "", `return /file:\/\/\/tmp\/e2e-root/.test(await tools.everything["get-roots-list"]())`, `true`},
		} {
			c.value(p.code, p.want)
			e := c.await("the question "+p.method, func(e sdkEvent) bool { return e.Event == "asked" && e.Method == p.method })
			if !strings.Contains(string(e.Params), p.asked) {
				t.Errorf("%s: the client was asked %s", p.method, e.Params)
			}
		}

		// A user who says no.
		c = startSDK(t, sdkOptions{SDK: sdk, Args: args, Answers: map[string]any{"elicitation": map[string]any{"action": "decline"}}})
		c.value(`return (await tools.everything["trigger-elicitation-request"]())[0].text.includes("declined")`, `true`)

		// A client that cannot be asked: the program learns why.
		c = startSDK(t, sdkOptions{SDK: sdk, Args: args})
		for _, tool := range []string{"trigger-elicitation-request", "trigger-sampling-request"} {
			res := c.execute(fmt.Sprintf(`return await tools.everything[%q]({ prompt: "x" })`, tool))
			if !res.IsError || !strings.Contains(res.text(), "the client does not") {
				t.Errorf("%s: %s", tool, res.text())
			}
		}
		c.value(`return await tools.everything.echo({ message: "unharmed" })`, `"Echo: unharmed"`)
	})
}

// A server that dies is started again, with what it keeps in files.
func TestServerKilledAndBack(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("it kills by a signal")
	}
	servers, _ := realServers(t)
	journal := newJournal(t)
	// A shell that says who it is, and becomes the server.
	memory := servers["memory"]
	pidFile := filepath.Join(t.TempDir(), "pid")
	memory.Args = []string{"-c", `echo $$ >"$0" && exec "$1"`, pidFile, memory.Command}
	memory.Command = "sh"
	c := startSDK(t, sdkOptions{Args: mcpConfig(t, map[string]mcpServer{
		"memory": memory, "everything": servers["everything"], "peer": peerServer(t, journal),
	})})
	c.value(`return (await tools.memory.create_entities({ entities: [{ name: "kept", entityType: "x", observations: [] }] })).entities.length`, `1`)
	first := readPID(t, pidFile)
	// Of the process group, the server is the leader.
	if err := killProcess(first); err != nil {
		t.Fatal(err)
	}
	// It is down, and says so; then it is back.
	c.value(`
		const seen = new Set();
		for (;;) {
			try { return [(await tools.memory.read_graph()).entities[0].name, [...seen]] }
			catch (e) { if (e.code !== "UPSTREAM_ERROR") seen.add(e.code); await sleep(100) }
		}`, `["kept",[]]`)
	if second := readPID(t, pidFile); second == first {
		t.Error("the server has not been started again")
	}
	c.value(`return await tools.everything.echo({ message: "unharmed" })`, `"Echo: unharmed"`)

	// One that dies of a call: the call fails, the next one finds a new server.
	res := c.execute(`await tools.peer.die()`)
	if e := res.Structured.Error; e == nil || e.Code != "UPSTREAM_ERROR" {
		t.Errorf("the call of which it died: %s", res.text())
	}
	c.value(`
		for (;;) try { return (await tools.peer.pid()) > 0 } catch (e) { if (e.code !== "UPSTREAM_ERROR") throw e; await sleep(100) }`, `true`)
	if text := readJournal(t, journal); strings.Count(text, "started ") < 2 {
		t.Errorf("the journal:\n%s", text)
	}
}

func readPID(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func killProcess(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// A server that never answers holds up nobody but who asks for it.
func TestServersThatNeverAnswer(t *testing.T) {
	t.Parallel()
	servers, _ := realServers(t)
	deaf, mute := ourServer(t, "", "rough.mjs", "deaf"), ourServer(t, "", "rough.mjs", "mute")
	c := startSDK(t, sdkOptions{Args: tomlConfig(t, map[string]mcpServer{"everything": servers["everything"], "deaf": deaf, "mute": mute},
		"[limits]\ncall_timeout = \"1s\"\n")})
	// It has not come up yet, and is named as what it is.
	res := c.call("search", map[string]any{"query": ""})
	for _, want := range []string{"deaf: NOT CONNECTED", "everything (16 tools", "mute (1 tool"} {
		if !strings.Contains(res.text(), want) {
			t.Errorf("search lacks %q:\n%s", want, res.text())
		}
	}
	c.value(`return await tools.everything.echo({ message: "unharmed" })`, `"Echo: unharmed"`)
	for _, server := range []string{"mute", "deaf"} {
		c.value(fmt.Sprintf(`
			const other = tools.everything.echo({ message: "beside" });
			try { await callTool(%q, "echo", { text: "x" }) } catch (e) { return [e.code, e.server, await other] }`, server),
			fmt.Sprintf(`["UPSTREAM_TIMEOUT",%q,"Echo: beside"]`, server))
	}
}

// Servers that do not know what they are asked, or say what nobody knows.
func TestServersWithoutManners(t *testing.T) {
	t.Parallel()
	c := startSDK(t, sdkOptions{Args: mcpConfig(t, map[string]mcpServer{
		"strict": ourServer(t, "", "rough.mjs", "strict"), "chatty": ourServer(t, "", "rough.mjs", "chatty"),
	})})
	c.do("tools", nil, nil)
	for _, server := range []string{"strict", "chatty"} {
		c.value(fmt.Sprintf(`return await callTool(%q, "echo", { text: "x" })`, server), `"again: x"`)
	}
	c.value(`return (await resources.list()).length`, `0`)
}

// A tool that a server gets while a program runs can be called by that program,
// and one that it loses is gone.
func TestListChangesWhileAProgramRuns(t *testing.T) {
	bothSDKs(t, func(t *testing.T, sdk string) {
		journal := newJournal(t)
		c := startSDK(t, sdkOptions{SDK: sdk, Args: mcpConfig(t, map[string]mcpServer{"peer": peerServer(t, journal)})})
		c.value(`
		const before = await tools.peer.bud().catch((e) => e.code);
		await tools.peer.grow({ name: "bud" });
		return [before, await tools.peer.bud(), (await catalog.types("peer", "bud")).includes("Grown: bud")];`,
			`["TOOL_NOT_FOUND","I am bud",true]`)
		if res := c.call("search", map[string]any{"query": "bud"}); !strings.Contains(res.text(), "tools.peer.bud(") {
			t.Errorf("search does not find what is new:\n%s", res.text())
		}
		c.value(`
		await tools.peer.shrink({ name: "bud" });
		for (;;) {
			const code = await tools.peer.bud().catch((e) => e.code);
			if (code === "TOOL_NOT_FOUND") return [code, (await catalog.search("bud")).length];
			await sleep(20);
		}`, `["TOOL_NOT_FOUND",0]`)
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, e := range c.events {
			if e.Event == "tools changed" {
				t.Error("the client heard of it, though what it is offered is as before")
			}
		}
	})
}

// A client that goes, in whatever way, leaves no process behind.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("it reads /proc")
	}
	servers, _ := realServers(t)
	for _, how := range []string{"the client closes its end", "serve is killed", "serve is killed while a program computes", "serve is told to end"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			c := startSDK(t, sdkOptions{Args: mcpConfig(t, map[string]mcpServer{
				"everything": servers["everything"], "peer": peerServer(t, newJournal(t)),
			})})
			c.value(`return await tools.everything.echo({ message: "up" })`, `"Echo: up"`)
			pid := c.about().PID
			left := descendants(t, pid)
			if len(left) < 4 { // two servers, two workers
				t.Fatalf("only %d processes are there: %v", len(left), left)
			}
			switch how {
			case "the client closes its end":
				c.do("close", nil, nil)
			case "serve is killed while a program computes":
				id := c.beginExecute(`progress(1); for (;;);`)
				c.await("progress", func(e sdkEvent) bool { return e.Event == "progress" && e.Of == id })
				fallthrough
			case "serve is killed":
				if err := killProcess(pid); err != nil {
					t.Fatal(err)
				}
			case "serve is told to end":
				p, err := os.FindProcess(pid)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
			}
			c.await("the end of the connection", func(e sdkEvent) bool { return e.Event == "closed" })
			left[pid] = "serve"
			deadline := time.Now().Add(patience)
			for len(left) > 0 {
				for pid := range left {
					if _, state, ok := procStat(pid); !ok || state == "Z" {
						delete(left, pid)
					}
				}
				if time.Now().After(deadline) {
					t.Fatalf("these are left: %v", left)
				}
				time.Sleep(10 * time.Millisecond) // between two looks
			}
		})
	}
}

// descendants are the processes below pid, by what they are called.
func descendants(t *testing.T, pid int) map[int]string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	parents := map[int]int{}
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil {
			if parent, _, ok := procStat(id); ok {
				parents[id] = parent
			}
		}
	}
	found := map[int]string{}
	for id := range parents {
		for p := parents[id]; p > 1; p = parents[p] {
			if p == pid {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", id))
				found[id] = strings.TrimSpace(string(name))
			}
		}
	}
	return found
}

func procStat(pid int) (parent int, state string, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", false
	}
	// The name, in parentheses, may have any of them in it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	parent, err = strconv.Atoi(fields[1])
	return parent, fields[0], err == nil
}
