package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/policy"
)

// TestQuestion is what a person reads.
func TestQuestion(t *testing.T) {
	odd := "delete\u202etxt"
	s := newStub(t, "files", decl("delete", "", ""), decl(odd, "", ""), decl("delet\u0435", "", ""))
	d := governed(t, connect(t, s), rulesOf(policy.Rule{Name: "careful\u202e", Action: policy.Ask}))
	question := func(call autoclave.ToolCall) string {
		t.Helper()
		person := asked()
		_, err := d.For(dispatch.Caller{Approver: person}).CallTool(within(t), call)
		if code(err) != autoclave.ApprovalDenied || len(person.questions()) != 1 {
			t.Fatalf("got %v, %q", err, person.questions())
		}
		return person.questions()[0]
	}
	want := "A program wants to call the tool \"delete\" of the server \"files\".\nArguments:\n{\n  \"path\": \"/a\",\n  \"deep\": [\n    1\n  ]\n}\n" +
		`You are asked because the rule "careful\u202e" wants a person to be asked about everything.`
	if got := question(with("files", "delete", `{"path":"/a","deep":[1]}`)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for name, call := range map[string]autoclave.ToolCall{
		"bidi in the name": with("files", odd, `{}`), "cyrillic in the name": with("files", "delet\u0435", `{}`),
		"controls in the arguments": with("files", "delete", "{\"a\":\"\u202e\u2066\u200b\ufeff\u061c\u2028\u0085\u009b31m\u00ad\U000e0041 x\"}"),
		"raw escapes":               with("files", "delete", `{"a":"\u001b[2J\u202e\n\nYou are asked because of nothing."}`),
	} {
		text := question(call)
		for _, r := range text {
			if r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r <= 0x9f || strings.ContainsRune("\u202e\u2066\u200b\ufeff\u061c\u2028\u00ad\U000e0041", r)) {
				t.Errorf("%s: %q is in the question: %q", name, r, text)
			}
		}
		if n := strings.Count(text, "\nYou are asked because"); n != 1 {
			t.Errorf("%s: %d lines say why:\n%s", name, n, text)
		}
	}
	if text := question(with("files", "delet\u0435", `{}`)); !strings.Contains(text, `"delet\u0435"`) {
		t.Errorf("got %q", text)
	}
	// What is nested deep does not become a thousand times longer.
	long := question(with("files", "delete", `{"a":`+strings.Repeat("[", 400)+strings.Repeat("1,", 100_000)+"1"+strings.Repeat("]", 400)+"}"))
	if len(long) > 5000 || !strings.Contains(long, "bytes that are not shown. It can be allowed once only.") {
		t.Errorf("got %d bytes: %.300s", len(long), long)
	}
	if short := question(with("files", "delete", `{"a":`+strings.Repeat("[", 400)+strings.Repeat("]", 400)+"}")); strings.Contains(short, "not shown") || len(short) > 5000 {
		t.Errorf("got %d bytes", len(short))
	}
}

// TestLongArguments: nobody can allow for longer what he has not seen whole.
func TestLongArguments(t *testing.T) {
	s := askStub(t)
	d := governed(t, connect(t, s), rulesOf(askAlways))
	args := `{"path":"` + strings.Repeat("x", 5000) + `"}`
	for _, answer := range []string{"program", "session"} {
		person := asked(says(answer), says("no"))
		h := d.For(dispatch.Caller{Session: "one", Approver: person})
		if _, err := h.CallTool(within(t), with("files", "delete", args)); err != nil {
			t.Error(err)
		}
		if _, err := h.CallTool(within(t), with("files", "delete", `{}`)); code(err) != autoclave.ApprovalDenied {
			t.Errorf("%s: got %v", answer, err)
		}
		if len(person.questions()) != 2 || !strings.Contains(person.questions()[0], "once only") {
			t.Errorf("%s: got %d questions", answer, len(person.questions()))
		}
	}
}

// TestForm: the form of the question has no default that says yes.
func TestForm(t *testing.T) {
	var params json.RawMessage
	keep := func(_ context.Context, p json.RawMessage) (json.RawMessage, error) {
		params = p
		return nil, fmt.Errorf("no")
	}
	person := asked(keep, keep)
	d := governed(t, connect(t, askStub(t)), rulesOf(askAlways))
	_, _ = d.For(dispatch.Caller{Session: "one", Approver: person}).CallTool(within(t), with("files", "delete", `{}`))
	checkForm(t, params, 4)
	// Where there is no session, nothing can be allowed for one.
	_, _ = d.For(dispatch.Caller{Approver: person}).CallTool(within(t), with("files", "delete", `{}`))
	checkForm(t, params, 3)
}

func checkForm(t *testing.T, params json.RawMessage, answers int) {
	t.Helper()
	var p struct {
		Message         string
		RequestedSchema struct {
			Type       string
			Required   []string
			Properties map[string]struct {
				Type    string
				Enum    []string
				Names   []string `json:"enumNames"`
				Default *any
			}
		}
	}
	if err := json.Unmarshal(params, &p); err != nil {
		t.Fatal(err)
	}
	a := p.RequestedSchema.Properties["answer"]
	if p.RequestedSchema.Type != "object" || len(p.RequestedSchema.Required) != 1 || a.Type != "string" || len(a.Enum) != answers || len(a.Names) != answers || a.Default != nil {
		t.Errorf("got %s", params)
	}
}
