package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave/internal/audit"
)

// together runs the program in each client at once, twice, the second time
// under a session name of its own.
func together(t *testing.T, code string, models ...*model) {
	t.Helper()
	var all sync.WaitGroup
	for i, m := range models {
		for n := range 2 {
			all.Go(func() {
				args := map[string]any{"code": code}
				if n == 1 {
					args["session"] = fmt.Sprintf("s%d", i)
				}
				ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
				defer cancel()
				res, err := m.cs.CallTool(ctx, &mcp.CallToolParams{Name: "execute", Arguments: args})
				if err != nil {
					t.Errorf("executing: %v", err)
					return
				}
				m.see(res)
			})
		}
	}
	all.Wait()
}

const flood = `const all = []; for (let i = 0; i < 25; i++) all.push(callTool("work", %q, { text: "%s" }).catch(e => e.code)); const r = await Promise.all(all); return [...new Set(r)].sort().join()`

func TestRedTeamLimits(t *testing.T) {
	t.Parallel()
	t.Run("a tool's rate, from everywhere at once", func(t *testing.T) {
		t.Parallel()
		w := startRed(t, "", "")
		together(t, fmt.Sprintf(flood, "limited", ""), w.connect(t, redClient{}), w.connect(t, redClient{}), w.connect(t, redClient{token: "bob-bob-bob-bob-bob"}), w.connect(t, redClient{protocol: "2026-07-28"}))
		if got := tally(w.arrived()); got != "work limited×3" {
			t.Errorf("what arrived: %s, want 3", got)
		}
	})
	for name, more := range map[string]string{"rate": "[rate]\nper_session = \"5/h burst 5\"\n", "budget": "[budget]\nsession_calls = 5\n"} {
		t.Run("a session's "+name, func(t *testing.T) {
			t.Parallel()
			w := startRed(t, more, "")
			m := w.connect(t, redClient{})
			together(t, fmt.Sprintf(flood, "echo", "x"), m)
			m.call(t, "execute", map[string]any{"code": fmt.Sprintf(flood, "echo", "x"), "session": "another-name"})
			if got := tally(w.arrived()); got != "work echo×5" {
				t.Errorf("what arrived of one session: %s, want 5", got)
			}
			// Where the protocol has no sessions, it is the principal's.
			together(t, fmt.Sprintf(flood, "echo", "x"), w.connect(t, redClient{protocol: "2026-07-28"}), w.connect(t, redClient{protocol: "2026-07-28"}))
			if got := tally(w.arrived()); got != "work echo×5" {
				t.Errorf("what arrived without sessions: %s, want 5", got)
			}
			// The limit: a client that begins another session has another budget.
			together(t, fmt.Sprintf(flood, "echo", "x"), w.connect(t, redClient{}))
			if got := tally(w.arrived()); got != "work echo×5" {
				t.Errorf("what arrived of another session: %s, want 5", got)
			}
		})
	}
	t.Run("the bytes of a program, at once", func(t *testing.T) {
		t.Parallel()
		w := startRed(t, "[budget]\nexecution_bytes = \"2KiB\"\n", "")
		w.connect(t, redClient{}).run(t, fmt.Sprintf(flood, "half", strings.Repeat("x", 300)))
		sent := 0
		arrived := w.arrived()
		for _, a := range arrived {
			sent += len(a.Args)
		}
		if sent > 2<<10 || len(arrived) == 0 {
			t.Errorf("%d bytes in %d calls have arrived, want some, and 2048 at most", sent, len(arrived))
		}
	})
	t.Run("the bytes of a session, at once", func(t *testing.T) {
		t.Parallel()
		w := startRed(t, "[budget]\nsession_bytes = \"2KiB\"\n", "")
		together(t, fmt.Sprintf(flood, "half", strings.Repeat("x", 300)), w.connect(t, redClient{}))
		sent := 0
		arrived := w.arrived()
		for _, a := range arrived {
			sent += len(a.Args)
		}
		if sent > 2<<10 || len(arrived) == 0 {
			t.Errorf("%d bytes in %d calls have arrived, want some, and 2048 at most", sent, len(arrived))
		}
	})
}

// records reads the audit of a world. Each line must be a record.
func (w *redWorld) records(t *testing.T) (all []*audit.Record) {
	t.Helper()
	f, err := os.Open(w.audit)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r, err := range audit.Read(f) {
		if err != nil {
			t.Fatalf("a line of the audit is no record: %v", err)
		}
		all = append(all, r)
	}
	return all
}

// How programs try not to be on record, or to have something else on record.
func TestRedTeamAudit(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	forged := `{"v":1,"time":"2026-01-01T00:00:00Z","ok":true,"calls":[]}`
	for _, c := range []struct {
		name, code string
		more       map[string]any
		check      func(t *testing.T, r *audit.Record)
	}{
		{"lines in names and messages", fmt.Sprintf(`const x = "\n" + %q + "\n\u001b[2J\u001b]0;FORGED\u0007\rFORGED\u2028"; console.log(x); await callTool("work", "echo" + x).catch(() => 0); await callTool("work" + x, "echo").catch(() => 0); await resources.read("work", x).catch(() => 0); throw new Error(x)`, forged), nil,
			func(t *testing.T, r *audit.Record) {
				if len(r.Calls) != 3 || !strings.Contains(r.Error, "FORGED") || !strings.Contains(r.Calls[0].Tool, "FORGED") {
					t.Errorf("%+v", r)
				}
			}},
		{"very long names", `const big = "n".repeat(8000); for (let i = 0; i < 90; i++) await callTool(i % 2 ? "work" : "w" + big, "t" + big).catch(() => 0); return 1`, nil,
			func(t *testing.T, r *audit.Record) {
				if len(r.Calls) != 90 || len(r.Calls[1].Tool) != 8001 {
					t.Errorf("%d calls", len(r.Calls))
				}
			}},
		{"calls that nobody waits for", `for (let i = 0; i < 5; i++) callTool("out", "slow", { i }).catch(() => 0); for (let i = 0; i < 2; i++) await callTool("work", "wipe", { i }).catch(() => 0); await tools.work.slow({}); return 1`, nil,
			func(t *testing.T, r *audit.Record) {
				left, denied := 0, 0
				for _, c := range r.Calls {
					if c.Server == "out" && c.Tool == "slow" && c.Decision == "allow" {
						left++
					}
					if c.Tool == "wipe" && c.Decision == "deny" && c.Rule == "no wiping" {
						denied++
					}
				}
				if left != 5 || denied != 2 {
					t.Errorf("%d that left and %d that were denied: %+v", left, denied, r.Calls)
				}
			}},
		{"a program that dies of its memory", `await tools.work.echo({ text: "before" }); const a = []; while (true) a.push("x".repeat(1e6) + a.length)`, nil,
			func(t *testing.T, r *audit.Record) {
				if r.OK || len(r.Calls) != 1 || r.Code != "HEAP_LIMIT" {
					t.Errorf("%+v", r)
				}
			}},
		{"a program that is ended", `await tools.work.echo({ text: "before" }); while (true);`, map[string]any{"timeout_ms": 3000},
			func(t *testing.T, r *audit.Record) {
				if r.OK || len(r.Calls) != 1 {
					t.Errorf("%+v", r)
				}
			}},
		{"what is no program", `await tools.work.echo({}); )`, nil,
			func(t *testing.T, r *audit.Record) {
				if r.OK || r.Code != "SYNTAX_ERROR" {
					t.Errorf("%+v", r)
				}
			}},
		{"the name of a session", `return 1`, map[string]any{"session": "x.y:z-1"},
			func(t *testing.T, r *audit.Record) {
				if r.Name != "x.y:z-1" || strings.Contains(r.Session, "x.y") {
					t.Errorf("%+v", r)
				}
			}},
		{"the stash", `await stash.put("k", 1); await stash.get("k"); await stash.keys(); await stash.delete("k"); await stash.get("absent"); return 1`, nil,
			func(t *testing.T, r *audit.Record) {
				if len(r.Calls) != 5 || r.Calls[0].Kind != "stash.put" || r.Calls[0].Tool != "k" {
					t.Errorf("%+v", r.Calls)
				}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Contains(c.code, "slow") {
				// What was sent is not answered, and the program does not end
				// before all has been sent.
				out, goOn := w.servers["out"], w.servers["work"].holdSlow()
				defer out.holdSlow()()
				go func() {
					out.await(5)
					goOn()
				}()
			}
			before := len(w.records(t))
			m := w.connect(t, redClient{})
			args := map[string]any{"code": c.code}
			for k, v := range c.more {
				args[k] = v
			}
			m.call(t, "execute", args)
			// It is written before the result is returned.
			all := w.records(t)
			if len(all) != before+1 {
				t.Fatalf("%d records, want %d", len(all), before+1)
			}
			c.check(t, all[before])
			judge(t, m, w.arrived())
		})
	}
	t.Run("printed", func(t *testing.T) {
		stdout, stderr, status := runCommand(newAudit(&global{}), w.audit)
		if status != exitOK || stderr != "" {
			t.Errorf("exit status %d, %s", status, stderr)
		}
		for _, r := range stdout {
			if r < ' ' && r != '\n' || r == 0x7f || r == 0x2028 || r >= 0x80 && r < 0xa0 {
				t.Fatalf("what is printed has %U", r)
			}
		}
		for line := range strings.Lines(stdout) {
			if strings.HasPrefix(strings.TrimSpace(line), "FORGED") || strings.HasPrefix(line, `{"v"`) {
				t.Errorf("a line that a program made up: %.200s", line)
			}
		}
	})
	t.Run("the log", func(t *testing.T) {
		for line := range strings.Lines(w.logged.String()) {
			if strings.HasPrefix(line, "FORGED") || strings.HasPrefix(line, `{"v"`) || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\r\a") {
				t.Errorf("a line that a program made up: %.200q", line)
			}
		}
	})
}

// What cannot be recorded is not handed out.
func TestRedTeamAuditFull(t *testing.T) {
	needsLinux(t)
	t.Parallel()
	w := startRed(t, "", "/dev/full")
	m := w.connect(t, redClient{})
	for _, code := range []string{`return "the value"`, `console.log("the value"); throw new Error("the value")`, `emit({ type: "text", text: "the value" }); return await tools.work.echo({ text: "the value" })`, `await stash.put("k", "the value"); return await stash.get("k")`, `return "the value".repeat(9000)`} {
		res := m.call(t, "execute", map[string]any{"code": code})
		raw, err := json.Marshal(res)
		if err != nil || !res.IsError || bytes.Contains(raw, []byte("the value")) || !strings.Contains(firstText(res), "INTERNAL") {
			t.Errorf("%s: %v: %s", code, err, raw)
		}
	}
	// Nor is it kept for the next program.
	if got := m.run(t, `return await stash.keys()`); !strings.Contains(got, "INTERNAL") {
		t.Errorf("the next program says %s", got)
	}
	judge(t, m, w.arrived())
}
