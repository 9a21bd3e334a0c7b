package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	autoclave "github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
	"github.com/autoclave-run/autoclave/internal/catalog"
	"github.com/autoclave-run/autoclave/internal/policy"
)

const methodElicit = "elicitation/create"

// maxShown is how much of the arguments a person is shown, in bytes. What is
// longer says how much is not shown, and nobody can allow it for longer than
// once.
const maxShown = 4000

// The answers of a person. Whatever else comes is a no.
const (
	answerOnce      = "once"
	answerExecution = "program"
	answerSession   = "session"
	answerNo        = "no"
)

// approve has a person decide about the call. It returns how that went, for
// the record, and an error where the call must not be made.
func (h *Host) approve(ctx context.Context, c *hostCall, tool *catalog.Tool, d policy.Decision) (string, error) {
	key := approvalKey(c, tool, d)
	if how := h.approvedBefore(key); how != "" {
		return how, nil
	}
	who := h.caller.Approver
	refused := func(retry bool, format string, args ...any) error {
		e := autoclave.Errorf(autoclave.ApprovalDenied, "%s needs a person's approval (%s), and "+format, append([]any{c.label(), d.Reason}, args...)...)
		e.Retryable = retry
		return e
	}
	switch {
	case who == nil || !who.Can(methodElicit):
		e := refused(false, "the client cannot ask anybody: it has not declared elicitation").(*autoclave.Error)
		e.Suggestion = "Do without this call, or tell the user what should be done."
		return "cannot ask", e
	case h.rules.MaxAsking == 0:
		return "cannot ask", refused(false, "nobody is asked while the only worker there is would wait for the answer: max_workers must be 2 or more")
	case !h.d.beginAsking(h):
		return "too many wait", refused(true, "%d programs are waiting for an answer already, which is the most", h.rules.MaxAsking)
	}
	defer h.d.endAsking(h)
	defer autoclave.PauseClock(ctx)()
	// One question at a time: two dialogs at once get one click each.
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return notAsked(ctx), refused(false, "%s", context.Cause(ctx).Error())
	}
	if how := h.approvedBefore(key); how != "" { // by the answer to the one before
		return how, nil
	}
	// It has its time from when it is put: those before it had theirs.
	ctx, cancel := context.WithTimeoutCause(ctx, h.rules.AskTimeout, errNoAnswer)
	defer cancel()
	answer, err := h.ask(ctx, c, d)
	switch {
	case ctx.Err() != nil:
		return notAsked(ctx), refused(false, "%s", context.Cause(ctx).Error())
	case err != nil:
		return "not answered", refused(false, "the client did not ask: %s", err.Error())
	}
	if answer == answerSession && h.caller.Session == "" {
		// There is none, and the principal may be many people.
		answer = answerExecution
	}
	switch answer {
	case answerOnce:
	case answerExecution:
		h.mu.Lock()
		h.approved[key] = true
		h.mu.Unlock()
	case answerSession:
		h.session.mu.Lock()
		h.session.approved[key] = true
		h.session.mu.Unlock()
	default:
		e := autoclave.Errorf(autoclave.ApprovalDenied, "the user was asked about %s, and said no", c.label())
		e.Suggestion = "Do not try again: do without, or ask the user what to do instead."
		return "refused", e
	}
	return approvalWords[answer], nil
}

var approvalWords = map[string]string{answerOnce: "once", answerExecution: "execution", answerSession: "session"}

var errNoAnswer = errors.New("nobody answered in time")

func notAsked(ctx context.Context) string {
	if errors.Is(context.Cause(ctx), errNoAnswer) {
		return "not answered"
	}
	return "ended"
}

// approvalKey is what an approval for longer than once is for: the tool as it is
// declared now, and the rule that asks. Where a server changes what a tool means,
// or somebody the rules, a person has to be asked again.
func approvalKey(c *hostCall, tool *catalog.Tool, d policy.Decision) string {
	key := string(c.kind) + "\x00" + c.server + "\x00" + c.name + "\x00" + d.Rule + "\x00" + d.Reason
	if tool != nil {
		a := annotations(tool)
		hints := fmt.Sprint(isSet(a.ReadOnly), a.Destructive == nil || *a.Destructive, a.OpenWorld == nil || *a.OpenWorld)
		key += "\x00" + audit.Hash(tool.Title+"\x00"+tool.Description+"\x00"+hints+"\x00"+string(tool.InputSchema))
	}
	return key
}

func (h *Host) approvedBefore(key string) string {
	h.mu.Lock()
	own := h.approved[key]
	h.mu.Unlock()
	if own {
		return "execution"
	}
	h.session.mu.Lock()
	defer h.session.mu.Unlock()
	if h.session.approved[key] {
		return "session"
	}
	return ""
}

// beginAsking counts an execution among those that wait for a person, once,
// and reports whether there was room.
func (d *Dispatcher) beginAsking(h *Host) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.asking == 0 {
		if d.asking >= h.rules.MaxAsking {
			return false
		}
		d.asking++
	}
	h.asking++
	return true
}

func (d *Dispatcher) endAsking(h *Host) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.asking--; h.asking == 0 {
		d.asking--
	}
}

// form is what the client shows. It has no default: nothing is allowed by
// whoever just presses return.
var form = json.RawMessage(`{"type":"object","properties":{"answer":{"type":"string","title":"Allow this call?",` +
	`"enum":["once","program","session","no"],` +
	`"enumNames":["Yes, once","Yes, and all calls of this tool by this program","Yes, and all calls of this tool in this session","No"]}},` +
	`"required":["answer"]}`)

// formAlone is the form where there is no session.
var formAlone = json.RawMessage(`{"type":"object","properties":{"answer":{"type":"string","title":"Allow this call?",` +
	`"enum":["once","program","no"],` +
	`"enumNames":["Yes, once","Yes, and all calls of this tool by this program","No"]}},` +
	`"required":["answer"]}`)

func (h *Host) ask(ctx context.Context, c *hostCall, d policy.Decision) (string, error) {
	message, whole := question(c, d)
	form := form
	if h.caller.Session == "" {
		form = formAlone
	}
	params, err := json.Marshal(struct {
		Message string          `json:"message"`
		Schema  json.RawMessage `json:"requestedSchema"`
	}{message, form})
	if err != nil {
		return "", fmt.Errorf("marshalling the question: %w", err)
	}
	raw, err := h.caller.Approver.Ask(ctx, methodElicit, params)
	if err != nil {
		return "", err
	}
	var res struct {
		Action  string `json:"action"`
		Content struct {
			Answer string `json:"answer"`
		} `json:"content"`
	}
	if err := json.Unmarshal(raw, &res); err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	if res.Action != "accept" {
		return answerNo, nil
	}
	if !whole && (res.Content.Answer == answerSession || res.Content.Answer == answerExecution) {
		return answerOnce, nil
	}
	return res.Content.Answer, nil
}

// question is what a person reads, and whether that is all. What a program or a
// server chose is made plain: it must not look like anything else than it is.
func question(c *hostCall, d policy.Decision) (text string, whole bool) {
	var b strings.Builder
	if c.kind == kindTool {
		fmt.Fprintf(&b, "A program wants to call the tool %s of the server %s.\n", quoted(c.name), quoted(c.server))
	} else {
		fmt.Fprintf(&b, "A program wants to read %s of the server %s.\n", quoted(c.name), quoted(c.server))
	}
	rest := 0
	if len(c.args) > 0 {
		args := []byte(c.args)
		// White space between values is nobody's: a thousand empty lines would
		// move what matters out of sight.
		var compact bytes.Buffer
		if json.Compact(&compact, args) == nil {
			args = compact.Bytes()
		}
		// Of what is too long it is not made even longer: indented, what is
		// nested deep has a thousand times its size.
		if len(args) <= maxShown {
			var pretty bytes.Buffer
			if json.Indent(&pretty, args, "", "  ") == nil && pretty.Len() <= maxShown {
				args = pretty.Bytes()
			}
		}
		shown := args
		if len(shown) > maxShown {
			shown, rest = shown[:maxShown], len(shown)-maxShown
		}
		fmt.Fprintf(&b, "Arguments:\n%s\n", plainText(string(shown)))
		if rest > 0 {
			fmt.Fprintf(&b, "… and %d bytes that are not shown. It can be allowed once only.\n", rest)
		}
	}
	fmt.Fprintf(&b, "You are asked because %s.", plainText(d.Reason))
	return b.String(), rest == 0
}

// quoted is a name in quotes, with all that cannot be seen, or that is not
// ASCII and may look like something else, as escapes.
func quoted(name string) string { return strconv.QuoteToASCII(clip(name)) }

// plainText escapes what is not printable, but for line breaks and spaces.
func plainText(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\n' || unicode.IsPrint(r) && !blank(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}

// blank reports what counts as printable, and is not seen all the same.
func blank(r rune) bool {
	return r == '\u2800' || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
