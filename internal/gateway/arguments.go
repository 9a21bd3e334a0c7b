package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/autoclave-run/autoclave"
)

// arguments are those of one call. Models do not always keep to a schema: what
// is meant is taken where there is no doubt, and an error says what is wrong.
type arguments struct {
	tool string
	raw  map[string]json.RawMessage
	err  *autoclave.Error
}

func readArguments(tool string, raw json.RawMessage) *arguments {
	a := &arguments{tool: tool}
	if len(raw) == 0 || string(raw) == "null" {
		return a
	}
	if err := json.Unmarshal(raw, &a.raw); err != nil {
		a.fail("", "the arguments must be an object")
	}
	return a
}

func (a *arguments) fail(name, must string) {
	if a.err != nil {
		return
	}
	if name != "" {
		must = strconv.Quote(name) + " " + must
	}
	a.err = autoclave.Errorf(autoclave.InvalidArguments, "%s: %s", a.tool, must)
	a.err.Suggestion = map[string]string{
		"search":  `Call it as { "query": "create an issue" }.`,
		"execute": `Call it as { "code": "return 1 + 1" }.`,
	}[a.tool]
}

func (a *arguments) has(name string) bool {
	v, ok := a.raw[name]
	return ok && string(v) != "null"
}

func (a *arguments) text(name string) string {
	if !a.has(name) {
		return ""
	}
	var s string
	if err := json.Unmarshal(a.raw[name], &s); err != nil {
		a.fail(name, "must be a string")
	}
	return s
}

// need is text that must be there. Where it is not, the error shows what is.
func (a *arguments) need(name string) string {
	if a.err == nil && !a.has(name) {
		must := "is missing"
		if len(a.raw) > 0 {
			given := slices.Sorted(maps.Keys(a.raw))
			must += ", the arguments have " + clip(strings.Join(given, ", "), 200)
		}
		a.fail(name, must)
	}
	return a.text(name)
}

// whole is a number of at least 1, or 0 where there is none.
func (a *arguments) whole(name string) int64 {
	if !a.has(name) {
		return 0
	}
	text := strings.Trim(string(a.raw[name]), `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil && f == float64(int64(f)) {
			n = int64(f)
		} else {
			n = 0
		}
	}
	if n < 1 {
		a.fail(name, "must be a whole number of at least 1, not "+clip(string(a.raw[name]), 40))
	}
	return n
}

func (a *arguments) flag(name string) bool {
	if !a.has(name) {
		return false
	}
	switch strings.Trim(string(a.raw[name]), `"`) {
	case "true":
		return true
	case "false", "":
		return false
	}
	a.fail(name, "must be true or false, not "+clip(string(a.raw[name]), 40))
	return false
}

// maxName is how long the name of a session may be, in bytes.
const maxName = 128

// name is text that names something, or "" where there is none.
func (a *arguments) name(name string) string {
	s := a.text(name)
	bad := strings.IndexFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_-.:", c))
	})
	if bad >= 0 || len(s) > maxName {
		a.fail(name, fmt.Sprintf("must be at most %d of A-Z a-z 0-9 _ - . :", maxName))
	}
	return s
}

// one is text that must be one of these, or "" where there is none.
func (a *arguments) one(name string, of []string) string {
	s := a.text(name)
	if s != "" && !slices.Contains(of, s) {
		if len(of) < 2 {
			a.fail(name, "is not an argument here")
		} else {
			a.fail(name, "must be "+strings.Join(of, " or "))
		}
	}
	return s
}

// unfenced returns the code without the Markdown fence that models put around
// it. The lines stay where they were, so that positions in errors hold.
func unfenced(code string) string {
	trimmed := strings.TrimSpace(code)
	if !strings.HasPrefix(trimmed, "```") || !strings.HasSuffix(trimmed, "```") {
		return code
	}
	first, rest, ok := strings.Cut(trimmed, "\n")
	if !ok || strings.ContainsAny(first[3:], "`;(){}=") {
		return code
	}
	before := code[:strings.Index(code, "```")]
	return strings.Repeat("\n", strings.Count(before, "\n")+1) + strings.TrimSuffix(rest, "```")
}

// clip cuts s to max bytes, between characters.
func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && s[max]&0xC0 == 0x80 {
		max--
	}
	return s[:max] + "…"
}
