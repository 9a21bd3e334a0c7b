package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Approval through real clients: those of the official SDKs, over both
// transports, in protocol versions with requests to the client and with round
// trips.

// approval is a program, and what a person makes of it.
type approval struct {
	code    string
	answers []*mcp.ElicitResult
	want    string
	arrives int // calls of pay
}

const paying = `const pay = () => tools.work.pay({ amount: 3 }).then(() => "made", e => e.code); `

// The answers are one person's, in turn. What one program was allowed for the
// session is seen by the one after it, so that comes last.
var approvals = []approval{
	{paying + `return [await pay(), await pay()].join()`, []*mcp.ElicitResult{answered("once"), answered("no")}, "made,APPROVAL_DENIED", 1},
	{paying + `return (await Promise.all([pay(), pay(), pay()])).join()`, []*mcp.ElicitResult{answered("once"), answered("once"), answered("no")}, "", 2},
	{paying + `return [await pay(), await pay(), await pay()].join()`, []*mcp.ElicitResult{answered("program")}, "made,made,made", 3},
	{paying + `return await pay()`, []*mcp.ElicitResult{{Action: "decline"}}, "APPROVAL_DENIED", 0},
	{paying + `return await pay()`, []*mcp.ElicitResult{{Action: "cancel"}}, "APPROVAL_DENIED", 0},
	{`return await tools.work.pay({ amount: 3 })`, []*mcp.ElicitResult{answered("no")}, "APPROVAL_DENIED: the user was asked about work.pay, and said no", 0},
	{paying + `return [await pay(), await pay()].join()`, []*mcp.ElicitResult{answered("session")}, "made,made", 2},
	{paying + `return await pay()`, nil, "made", 1},
}

// alone are those where there is no session: nothing can be allowed for one.
var alone = append(slices.Clone(approvals[:len(approvals)-2]),
	approval{paying + `return [await pay(), await pay()].join()`, []*mcp.ElicitResult{answered("program")}, "made,made", 2},
	approval{paying + `return await pay()`, []*mcp.ElicitResult{answered("no")}, "APPROVAL_DENIED", 0},
)

func approvalsOf(session bool) []approval {
	if session {
		return approvals
	}
	return alone
}

// approved is what a client has to say at the end.
type approved struct {
	session      bool
	Protocol     string
	Asked, Texts []string
	Forms        []json.RawMessage
}

func (a approved) check(t *testing.T, w *redWorld, mute bool) {
	t.Helper()
	approvals := approvalsOf(a.session)
	if len(a.Texts) != len(approvals) {
		t.Fatalf("%s: %d results", a.Protocol, len(a.Texts))
	}
	arrives, asked := 0, 0
	for i, p := range approvals {
		want := p.want
		if mute {
			want = "APPROVAL_DENIED"
		} else {
			arrives += p.arrives
			asked += len(p.answers)
		}
		if !strings.Contains(a.Texts[i], want) {
			t.Errorf("%s: program %d says %q, want %q", a.Protocol, i+1, a.Texts[i], want)
		}
	}
	// The reason is in the one that does not catch it.
	if mute && !strings.Contains(a.Texts[5], "cannot ask anybody") {
		t.Errorf("%s: %s", a.Protocol, a.Texts[5])
	}
	if len(a.Asked) != asked {
		t.Errorf("%s: %d questions, want %d: %q", a.Protocol, len(a.Asked), asked, a.Asked)
	}
	for _, m := range a.Asked {
		if !strings.Contains(m, `the tool "pay" of the server "work"`) || !strings.Contains(m, `"amount": 3`) || !strings.Contains(m, "money is asked about") {
			t.Errorf("%s: the person was shown %q", a.Protocol, m)
		}
	}
	words := `"enum":["once","program","session","no"]`
	if !a.session {
		words = `"enum":["once","program","no"]`
	}
	for _, f := range a.Forms {
		if !bytes.Contains(f, []byte(words)) || bytes.Contains(f, []byte("default")) {
			t.Errorf("%s: the form is %s", a.Protocol, f)
		}
	}
	got := w.arrived()
	if len(got) != arrives || slices.ContainsFunc(got, func(a arrival) bool { return a.Name != "pay" || a.Args != `{"amount":3}` }) {
		t.Errorf("%s: what arrived: %v, want %d calls of pay", a.Protocol, got, arrives)
	}
}

// approvalWorld is a configuration for a serve command of its own, over standard
// input and output, with the servers of a new world.
func approvalWorld(t *testing.T) (w *redWorld, path string) {
	t.Helper()
	w = &redWorld{t: t, servers: map[string]*recorder{}, logged: &lockedBuffer{}}
	text := redRules
	for _, name := range []string{"work", "out", "vault", "vault2", "cellar"} {
		w.servers[name] = newRecorder(t, name, redTools...)
		text += w.servers[name].config("")
	}
	return w, writeFile(t, "autoclave.toml", text)
}

func programs(session bool) (codes []string, answers []*mcp.ElicitResult) {
	for _, p := range approvalsOf(session) {
		codes = append(codes, p.code)
		answers = append(answers, p.answers...)
	}
	return codes, answers
}

func TestApprovalTypeScript(t *testing.T) {
	t.Parallel()
	modules := filepath.Join(needsNode(t), "node_modules")
	for _, sdk := range []string{"v1", "v2"} {
		for _, transport := range []string{"stdio", "http"} {
			for _, mute := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s mute %v", sdk, transport, mute), func(t *testing.T) {
					t.Parallel()
					session := sdk == "v1" || transport == "stdio"
					codes, answers := programs(session)
					options := map[string]any{"modules": modules, "sdk": sdk, "programs": codes}
					if !mute {
						options["answers"] = answers
					}
					var w *redWorld
					if transport == "stdio" {
						var path string
						w, path = approvalWorld(t)
						options["command"], options["args"] = self(t), []string{"serve", "--config", path}
					} else {
						w = startRed(t, "", "")
						options["url"], options["token"] = w.url, "alice-alice-alice-alice"
					}
					text, err := json.Marshal(options)
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
					defer cancel()
					cmd := exec.CommandContext(ctx, "node", "testdata/e2e/approver.mjs", string(text))
					var stderr bytes.Buffer
					cmd.Stderr = &stderr
					out, err := cmd.Output()
					if err != nil {
						t.Fatalf("the client: %v\n%s%s", err, out, &stderr)
					}
					a := approved{session: session}
					if err := json.Unmarshal(out, &a); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
					if newest := sdk == "v2"; newest != (a.Protocol == "2026-07-28") {
						t.Errorf("the protocol is %s", a.Protocol)
					}
					a.check(t, w, mute)
				})
			}
		}
	}
}

func TestApprovalGo(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		for _, mute := range []bool{false, true} {
			t.Run(fmt.Sprintf("http %s mute %v", protocol, mute), func(t *testing.T) {
				t.Parallel()
				w := startRed(t, "", "")
				session := protocol < "2026"
				codes, answers := programs(session)
				c := redClient{protocol: protocol}
				if !mute {
					c.person = func(n int, _ string) *mcp.ElicitResult { return answers[n-1] }
				}
				m := w.connect(t, c)
				a := approved{Protocol: protocol, session: session}
				for _, code := range codes {
					a.Texts = append(a.Texts, m.run(t, code))
				}
				a.Asked = m.questions()
				a.check(t, w, mute)
			})
		}
	}
}
