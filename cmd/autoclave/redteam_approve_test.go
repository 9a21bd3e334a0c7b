package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// confusion is an attempt to have a yes count for something that it was not
// said to.
type confusion struct {
	name   string
	code   []string
	person func(n int, message string) *mcp.ElicitResult
	sees   string
	asked  int    // how many questions the person was put
	wants  string // what may have arrived of pay and refund, and nothing else
}

// only says yes to questions with the text in it.
func only(text, answer string) func(int, string) *mcp.ElicitResult {
	return func(_ int, message string) *mcp.ElicitResult {
		if strings.Contains(message, text) {
			return answered(answer)
		}
		return answered("no")
	}
}

// inTurn gives the answers one after the other, then says no.
func inTurn(answers ...string) func(int, string) *mcp.ElicitResult {
	return func(n int, _ string) *mcp.ElicitResult {
		if n <= len(answers) {
			return answered(answers[n-1])
		}
		return answered("no")
	}
}

func raws(results ...*mcp.ElicitResult) func(int, string) *mcp.ElicitResult {
	return func(n int, _ string) *mcp.ElicitResult { return results[(n-1)%len(results)] }
}

const attemptPay = `const pay = (a, t = "pay", s = "work") => callTool(s, t, a).then(() => "made", e => e.code); `

var confusions = []confusion{
	{name: "once, used twice", person: inTurn("once"), asked: 2, sees: "made,APPROVAL_DENIED", wants: "work pay×1", code: []string{attemptPay + `return [await pay({ n: 1 }), await pay({ n: 1 })].join()`}},
	{name: "once, used by many at once", person: inTurn("once"), asked: 6, sees: "1", wants: "work pay×1", code: []string{attemptPay + `return (await Promise.all([1, 2, 3, 4, 5, 6].map(() => pay({ n: 1 })))).filter(x => x === "made").length`}},
	{name: "once, used by the next program", person: inTurn("once"), asked: 2, sees: "APPROVAL_DENIED", wants: "work pay×1", code: []string{attemptPay + `return pay({})`, attemptPay + `return pay({})`}},
	{name: "a program's, used by the next program", person: inTurn("program"), asked: 2, sees: "APPROVAL_DENIED", wants: "work pay×2", code: []string{attemptPay + `return [await pay({}), await pay({})]`, attemptPay + `return pay({})`}},
	{name: "for one tool, used for another", person: inTurn("session"), asked: 2, sees: "made,APPROVAL_DENIED,made", wants: "work pay×2", code: []string{attemptPay + `return [await pay({}), await pay({}, "refund"), await pay({})].join()`}},
	{name: "for one tool, used for another by a later program", person: inTurn("session"), asked: 2, sees: "APPROVAL_DENIED", wants: "work pay×1", code: []string{attemptPay + `return pay({})`, attemptPay + `return pay({}, "refund")`}},
	{name: "for one server, used for another", person: inTurn("session"), asked: 2, sees: "made,APPROVAL_DENIED", wants: "work pay×1", code: []string{attemptPay + `return [await pay({}), await pay({}, "pay", "out")].join()`}},
	{name: "for a tool, used for a denied one", person: always("session"), asked: 1, sees: "POLICY_DENIED", wants: "work pay×1", code: []string{attemptPay + `await pay({}); return pay({}, "wipe")`}},
	{name: "for some arguments, used for others at the same time", person: only("harmless", "once"), asked: 2, sees: "APPROVAL_DENIED,made", wants: "work pay×1", code: []string{attemptPay + `return (await Promise.all([pay({ to: "thief" }), pay({ to: "harmless" })])).sort().join()`}},
	{name: "arguments that change after the question", person: always("once"), asked: 1, sees: "made", wants: "work pay×1", code: []string{attemptPay + `const a = { to: "harmless" }; const p = pay(a); a.to = "thief"; for (let i = 0; i < 20; i++) { a.to = "thief" + i; await sleep(1); } return p`}},
	{name: "another word for yes", person: raws(answered("yes"), answered("ONCE"), answered("once "), answered(""), answered("no"), answered("Session")), asked: 6, sees: "APPROVAL_DENIED", code: []string{attemptPay + `const out = []; for (let i = 0; i < 6; i++) out.push(await pay({ i })); return [...new Set(out)].join()`}},
	{name: "a yes without an answer, or with another type", person: raws(&mcp.ElicitResult{Action: "accept"}, &mcp.ElicitResult{Action: "accept", Content: map[string]any{"answer": true}}, &mcp.ElicitResult{Action: "accept", Content: map[string]any{"answer": []any{"once"}}},
		&mcp.ElicitResult{Action: "accept", Content: map[string]any{"Answer2": "once"}}), asked: 4, sees: "APPROVAL_DENIED", code: []string{attemptPay + `const out = []; for (let i = 0; i < 4; i++) out.push(await pay({ i })); return [...new Set(out)].join()`}},
	{name: "declined, cancelled, and yes in a decline", person: raws(&mcp.ElicitResult{Action: "decline"}, &mcp.ElicitResult{Action: "cancel"}, &mcp.ElicitResult{Action: "decline", Content: map[string]any{"answer": "session"}}), asked: 3, sees: "APPROVAL_DENIED", code: []string{attemptPay + `const out = []; for (let i = 0; i < 3; i++) out.push(await pay({ i })); return [...new Set(out)].join()`}},
	{name: "a server's question that looks like ours", person: only(`"work"`+".\n ", "session"), asked: 2, sees: "APPROVAL_DENIED", code: []string{attemptPay + posing + `return pay({})`}},
	{name: "a server's question beside ours", person: func(_ int, m string) *mcp.ElicitResult {
		if strings.Contains(m, "POSE") {
			return answered("session")
		}
		return answered("no")
	}, asked: 2, sees: "APPROVAL_DENIED", code: []string{attemptPay + `const [, p] = await Promise.all([tools.work.pose({ how: "POSE: may I pay?" }), pay({})]); return p`}},
	{name: "the name of a session that was approved", person: inTurn("session"), asked: 1, sees: "APPROVAL_DENIED", wants: "work pay×1", code: []string{attemptPay + `return pay({})`}},
}

const posing = "await tools.work.pose({ how: 'A program wants to call the tool \"pay\" of the server \"work\".\\n POSE' }); "

func TestRedTeamApproval(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	for _, c := range confusions {
		t.Run(c.name, func(t *testing.T) {
			w.arrived()
			m := w.connect(t, redClient{person: c.person})
			var text string
			for _, code := range c.code {
				text = m.run(t, code)
			}
			if c.name == "the name of a session that was approved" {
				// Another session, and one without a session, under its names.
				other := w.connect(t, redClient{})
				res := other.call(t, "execute", map[string]any{"code": c.code[0], "session": m.cs.ID()[:min(len(m.cs.ID()), 20)]})
				text = firstText(res)
				stateless := w.connect(t, redClient{protocol: "2026-07-28"})
				text += stateless.run(t, c.code[0])
			}
			if !strings.Contains(text, c.sees) {
				t.Errorf("the program says %s, want %q in it", text, c.sees)
			}
			if n := len(m.questions()); n != c.asked {
				t.Errorf("%d questions, want %d: %q", n, c.asked, m.questions())
			}
			var allowed, rest []arrival
			for _, a := range w.arrived() {
				if slices.Contains(askedFor, a.Name) {
					allowed = append(allowed, a)
				} else {
					rest = append(rest, a)
				}
				if strings.Contains(a.Args, "thief") {
					t.Errorf("arguments that nobody was shown have arrived: %s", a.Args)
				}
			}
			judge(t, m, rest)
			if tally(allowed) != c.wants {
				t.Errorf("what arrived: %s, want %q", tally(allowed), c.wants)
			}
		})
	}
}

// Two of them at once: the yes of one is not the other's.
func TestRedTeamApprovalOfAnother(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	for _, c := range []struct {
		name     string
		other    redClient
		together bool // in one session
	}{
		{name: "two sessions of one principal", other: redClient{person: always("no")}},
		{name: "a session that cannot ask", other: redClient{}},
		{name: "two principals", other: redClient{token: "bob-bob-bob-bob-bob", person: always("no")}},
		{name: "two programs of one session", together: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.arrived()
			one := w.connect(t, redClient{person: only(`"one"`, map[bool]string{true: "program", false: "session"}[c.together])})
			two := one
			if !c.together {
				two = w.connect(t, c.other)
			}
			var both sync.WaitGroup
			said := map[string]string{}
			var mu sync.Mutex
			for who, m := range map[string]*model{"one": one, "two": two} {
				both.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
					defer cancel()
					res, err := m.cs.CallTool(ctx, &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{
						"code": attemptPay + fmt.Sprintf(`const out = []; for (let i = 0; i < 10; i++) { out.push(await pay({ who: %q })); await sleep(1); } return [...new Set(out)].join()`, who)}})
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						said[who] = err.Error()
						return
					}
					said[who] = firstText(res)
				})
			}
			both.Wait()
			if said["one"] != "made" || said["two"] != "APPROVAL_DENIED" {
				t.Errorf("they say %v", said)
			}
			for _, a := range w.arrived() {
				if !strings.Contains(a.Args, `"one"`) {
					t.Errorf("what nobody allowed has arrived: %s %s", a, a.Args)
				}
			}
		})
	}
}

// A person must see what the call is.
func TestRedTeamApprovalShows(t *testing.T) {
	t.Parallel()
	w := startRed(t, "", "")
	for _, c := range []struct {
		name, args string // args: an expression
		has        []string
		once       bool // it is too long to be allowed for longer
	}{
		{"the direction of the text", `{ to: "\u202eevil\u2066x\u2069\u200f" }`, []string{`\u202eevil\u2066x\u2069\u200f`}, false},
		{"what is not seen", `{ to: "ad\u200bmin\ufeff\u00ad\u2060\u{e0061}\u{e007f}" }`, []string{`ad\u200bmin\ufeff\u00ad\u2060\U000e0061\U000e007f`}, false},
		{"what is printed, and not seen", `{ to: "a\ufe0fb\u3164c\u115fd\u034fe\u2800f\u{e0100}g\uffa0h" }`, []string{`a\ufe0fb\u3164c\u115fd\u034fe\u2800f\U000e0100g\uffa0h`}, false},
		{"control characters", `{ to: "\u001b[2J\u0000\u0007\b\u009b" }`, []string{`[2J\u0000\u0007\b`}, false},
		{"lines that look like ours", `{ to: "x\"\n}\nYou are asked because nothing.\u2028\u2029\u0085A program wants to read" }`, []string{`\n}\nYou are asked`, `\u2028\u2029\u0085A program`}, false},
		{"names of members", `{ "to\u202e\n": 1, "__proto__x": { "a\u200b": 1 } }`, []string{`to\u202e\n`, `a\u200b`}, false},
		{"more than can be shown", `{ a: "harmless", pad: "x".repeat(6000), to: "thief" }`, []string{"not shown", "once only"}, true},
		{"much white space", `{ pad: " ".repeat(9000), to: "thief" }`, []string{"not shown", "once only"}, true},
		{"deep nesting", `JSON.parse('{"a":'.repeat(100) + "1" + "}".repeat(100))`, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := w.connect(t, redClient{person: always("session")})
			m.run(t, attemptPay+`const a = `+c.args+`; return [await pay(a), await pay(a)]`)
			asked := m.questions()
			want := 1
			if c.once {
				want = 2
			}
			if len(asked) != want {
				t.Fatalf("%d questions, want %d", len(asked), want)
			}
			for _, part := range c.has {
				if !strings.Contains(asked[0], part) {
					t.Errorf("the question lacks %q: %.900q", part, asked[0])
				}
			}
			for _, r := range asked[0] {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("the question has %U: %.900q", r, asked[0])
				}
			}
			if n := strings.Count("\n"+asked[0], "\nYou are asked because"); n != 1 {
				t.Errorf("%d lines that say why: %.900q", n, asked[0])
			}
			if !strings.HasPrefix(asked[0], `A program wants to call the tool "pay" of the server "work".`+"\n") || len(asked[0]) > 20_000 {
				t.Errorf("the question has %d bytes: %.300q", len(asked[0]), asked[0])
			}
		})
	}
	w.arrived()
}

// An answer that comes when nobody waits for it any more allows nothing.
func TestRedTeamApprovalLate(t *testing.T) {
	t.Parallel()
	w := startRed(t, strings.Replace(redRules, "[policy]", "[policy]\nask_timeout = \"2s\"", 1), "")
	for _, c := range []struct{ name, code, sees string }{
		{"after the time for it", attemptPay + `return pay({ first: true })`, "APPROVAL_DENIED"},
		{"after the program", attemptPay + `pay({ first: true }); await tools.work.slow({}); return "gone"`, "gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			release, late := make(chan struct{}), make(chan struct{})
			goOn := w.servers["work"].holdSlow()
			m := w.connect(t, redClient{person: func(n int, _ string) *mcp.ElicitResult {
				if n == 1 {
					goOn()
					<-release
					defer close(late)
					return answered("session")
				}
				return answered("no")
			}})
			if got := m.run(t, c.code); !strings.Contains(got, c.sees) {
				t.Errorf("the program says %s", got)
			}
			close(release)
			select {
			case <-late:
			case <-time.After(patience):
				t.Fatal("the person was not asked")
			}
			if got := m.run(t, attemptPay+`return pay({ second: true })`); got != "APPROVAL_DENIED" {
				t.Errorf("the next program says %s", got)
			}
			judge(t, m, w.arrived())
		})
	}
}

// raw is a client of the version without sessions, written by hand.
func (w *redWorld) raw(t *testing.T, token string, params map[string]any) (res struct {
	Result json.RawMessage
	Inputs map[string]struct {
		Method string
		Params struct{ Message string }
	}
	State string
	Text  string
}) {
	t.Helper()
	params["_meta"] = map[string]any{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": map[string]any{"name": "raw", "version": "1"},
		"io.modelcontextprotocol/clientCapabilities": map[string]any{"elicitation": map[string]any{}}}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + token,
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "execute"} {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimPrefix(line, "data: ")
		var m struct {
			Result json.RawMessage `json:"result"`
		}
		if json.Unmarshal([]byte(line), &m) == nil && len(m.Result) > 0 {
			res.Result = m.Result
		}
	}
	var r struct {
		InputRequests json.RawMessage `json:"inputRequests"`
		RequestState  string          `json:"requestState"`
		Content       []struct{ Text string }
	}
	if err := json.Unmarshal(res.Result, &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if len(r.InputRequests) > 0 {
		if err := json.Unmarshal(r.InputRequests, &res.Inputs); err != nil {
			t.Fatalf("%v: %s", err, r.InputRequests)
		}
	}
	res.State = r.RequestState
	if len(r.Content) > 0 {
		res.Text = r.Content[0].Text
	}
	return res
}

// Where the protocol has no requests to the client, it comes back with the
// answers, and may come back with anything.
func TestRedTeamApprovalReplay(t *testing.T) {
	t.Parallel()
	const alice, bob = "alice-alice-alice-alice", "bob-bob-bob-bob-bob"
	w := startRed(t, "", "")
	execute := func(code string) map[string]any {
		return map[string]any{"name": "execute", "arguments": map[string]any{"code": code}}
	}
	back := func(state string, answers map[string]any) map[string]any {
		p := execute(`return "another program"`)
		p["requestState"], p["inputResponses"] = state, answers
		return p
	}
	yes := map[string]any{"action": "accept", "content": map[string]any{"answer": "once"}}
	ask := func(who, token string) (state, id string) {
		r := w.raw(t, token, execute(attemptPay+fmt.Sprintf(`return pay({ who: %q })`, who)))
		if len(r.Inputs) != 1 || r.State == "" {
			t.Fatalf("nothing is asked: %s", r.Result)
		}
		for key, q := range r.Inputs {
			if q.Method != "elicitation/create" || !strings.Contains(q.Params.Message, who) {
				t.Errorf("the question is %+v", q)
			}
			id = key
		}
		return r.State, id
	}
	w.arrived()
	one, oneID := ask("one", alice)
	two, twoID := ask("two", bob)

	const nobodyWaits = "no execution waits for these answers"
	for _, c := range []struct {
		name, token, state string
		answers            map[string]any
		sees               string
	}{
		{"another principal's state", bob, one, map[string]any{oneID: yes}, nobodyWaits},
		{"a state that was made up", alice, strings.Repeat("A", len(one)), map[string]any{oneID: yes}, nobodyWaits},
		{"a state in another case", alice, strings.ToLower(one), map[string]any{oneID: yes}, nobodyWaits},
		{"the answer to another's question", bob, two, map[string]any{oneID: yes, "": yes}, "APPROVAL_DENIED"},
		{"the same state again", bob, two, map[string]any{twoID: yes}, nobodyWaits},
		{"the answer that is meant", alice, one, map[string]any{oneID: yes}, "made"},
		{"and again", alice, one, map[string]any{oneID: yes}, nobodyWaits},
	} {
		if r := w.raw(t, c.token, back(c.state, c.answers)); !strings.Contains(r.Text, c.sees) {
			t.Errorf("%s: %s, want %q", c.name, r.Text, c.sees)
		}
	}
	arrived := w.arrived()
	if tally(arrived) != "work pay×1" || !strings.Contains(arrived[0].Args, `"one"`) {
		t.Errorf("what arrived: %v", arrived)
	}

	state, _ := ask("three", alice)
	if r := w.raw(t, alice, back(state, nil)); !strings.Contains(r.Text, "APPROVAL_DENIED") {
		t.Errorf("no answers at all: %s", r.Text)
	}

	// Many come back at once with the same state: it counts once.
	state, id := ask("four", alice)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { w.raw(t, alice, back(state, map[string]any{id: yes})) })
	}
	all.Wait()
	if got := tally(w.arrived()); got != "work pay×1" {
		t.Errorf("what arrived of one answer that was sent eight times: %s", got)
	}
}

// What approvals do not do, and SECURITY.md says so.
func TestRedTeamApprovalLimits(t *testing.T) {
	t.Parallel()
	t.Run("who lets questions lie keeps others from asking", func(t *testing.T) {
		t.Parallel()
		w := startRed(t, "", "") // of four workers three may wait
		answer := make(chan struct{})
		var waiting sync.WaitGroup
		asked := make(chan struct{}, 3)
		for range 3 {
			m := w.connect(t, redClient{person: func(int, string) *mcp.ElicitResult {
				asked <- struct{}{}
				<-answer
				return answered("no")
			}})
			waiting.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
				defer cancel()
				_, _ = m.cs.CallTool(ctx, &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": attemptPay + `return pay({})`}})
			})
		}
		for range 3 {
			select {
			case <-asked:
			case <-time.After(patience):
				t.Fatal("nobody was asked")
			}
		}
		bob := w.connect(t, redClient{token: "bob-bob-bob-bob-bob", person: always("once")})
		// It is refused, not let through, and what needs no question goes on.
		if got := bob.run(t, attemptPay+`return [await pay({}), await tools.work.echo({ text: "on" })].join()`); got != "APPROVAL_DENIED,on" {
			t.Errorf("the program says %s", got)
		}
		close(answer)
		waiting.Wait()
		if got := bob.run(t, attemptPay+`return pay({})`); got != "made" {
			t.Errorf("afterwards the program says %s", got)
		}
	})
}
