package quickjs

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// thrown is what the prelude says of a value that a program threw.
type thrown struct {
	Message    string  `json:"message"`
	Stack      string  `json:"stack"`
	Error      bool    `json:"error"`
	Reference  bool    `json:"reference"`
	Line       float64 `json:"line"`
	Column     float64 `json:"column"`
	Code       string  `json:"code"`
	Server     string  `json:"server"`
	Tool       string  `json:"tool"`
	Retryable  bool    `json:"retryable"`
	Suggestion string  `json:"suggestion"`
}

// maxMessage bounds what an error says: a program chooses its text.
const (
	maxMessage = 8 << 10
	maxStackKB = 8 << 10
)

// failure is a thrown value, which it takes, as a typed error.
func (e *Engine) failure(v value) *wire.Error {
	var t thrown
	r := e.call(e.core.describe, v)
	e.free(v)
	switch {
	case isException(r):
		e.free(e.takeException())
		t.Message = "the program threw a value that cannot be shown"
	default:
		if !e.text(r, func(b []byte) {
			if err := json.Unmarshal(b, &t); err != nil {
				t = thrown{Message: "the program threw a value that cannot be shown"}
			}
		}) {
			e.free(e.takeException())
		}
		e.free(r)
	}
	return e.run.source.explain(t)
}

// explain is a thrown value as a typed error that names places in the source.
func (src *source) explain(t thrown) *wire.Error {
	werr := &wire.Error{
		Code:       wire.CodeScript,
		Message:    cutText(t.Message, maxMessage),
		Retryable:  t.Retryable,
		Suggestion: t.Suggestion,
		Server:     t.Server,
		Tool:       t.Tool,
	}
	if t.Code != "" {
		werr.Code = t.Code
	} else if !t.Error {
		werr.Message = cutText("the program threw a value that is not an Error: "+t.Message, maxMessage)
	}
	if t.Reference {
		werr.Suggestion = instead(t.Message)
	}
	if strings.HasPrefix(t.Message, "InternalError: stack overflow") || strings.HasPrefix(t.Message, "RangeError: Maximum call stack size exceeded") {
		werr.Suggestion = "the calls are nested too deeply: end the recursion earlier, or use a loop with a list of what is left to do"
	}
	werr.Stack, werr.Line, werr.Column = src.stack(t.Stack)
	if werr.Line == 0 && t.Line > 0 {
		werr.Line, werr.Column = src.position(int(t.Line), int(t.Column))
	}
	if spec := src.imported; spec != "" && t.Reference && strings.HasSuffix(t.Message, noImport(spec)) {
		// The engine rejects import() from a job, where no line is known.
		written, line, column := findImport(src.author, spec)
		werr.Message = "ReferenceError: " + noImport(written)
		werr.Suggestion = withoutImport
		if werr.Line == 0 {
			werr.Line, werr.Column = line, column
		}
	}
	werr.Frame = frame(src.author, werr.Line, werr.Column)
	return werr
}

var stackPosition = regexp.MustCompile(`program\.js:(\d+):(\d+)`)

// stack maps the positions of a stack to the author's text, and returns the
// first.
func (s *source) stack(text string) (mapped string, line, column int) {
	text = cutText(text, maxStackKB)
	mapped = stackPosition.ReplaceAllStringFunc(text, func(m string) string {
		p := stackPosition.FindStringSubmatch(m)
		l, _ := strconv.Atoi(p[1])
		c, _ := strconv.Atoi(p[2])
		l, c = s.position(l, c)
		if line == 0 {
			line, column = l, c
		}
		return programFile + ":" + strconv.Itoa(l) + ":" + strconv.Itoa(c)
	})
	mapped = strings.ReplaceAll(mapped, "<eval> (", "program (")
	return strings.TrimRight(mapped, "\n"), line, column
}

// instead says what to use in place of what other JavaScript environments have.
func instead(message string) string {
	name, ok := strings.CutPrefix(message, "ReferenceError: '")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "'")
	return missing[name]
}

const noNetwork = "there is no network here: call a tool, such as tools.server.tool(args), or read a resource with resources.read(server, uri)"
const noFiles = "there is no file system here: a tool or resources.read(server, uri) reads files, and stash.put(key, value) keeps a value for the next program"

var missing = map[string]string{
	"fetch":                 noNetwork,
	"XMLHttpRequest":        noNetwork,
	"WebSocket":             noNetwork,
	"axios":                 noNetwork,
	"Request":               noNetwork,
	"Response":              noNetwork,
	"Headers":               noNetwork,
	"fs":                    noFiles,
	"path":                  noFiles,
	"Deno":                  "this is not Deno: there are tools, resources, stash and console",
	"Bun":                   "this is not Bun: there are tools, resources, stash and console",
	"process":               "there is no process here: what a program needs to know it gets from tools, and it logs with console.log",
	"Buffer":                "there is no Buffer here: use Uint8Array, TextEncoder, TextDecoder, atob and btoa",
	"require":               "there are no modules here: tools, callTool, resources, stash, parallel and the rest are there as globals",
	"module":                "there are no modules here: end with an expression, return a value, or export default a function",
	"exports":               "there are no modules here: end with an expression, return a value, or export default a function",
	"window":                "this is not a browser: there are tools, resources, stash and console; the global object is globalThis",
	"document":              "this is not a browser: there are tools, resources, stash and console",
	"localStorage":          "use stash.put(key, value) and stash.get(key)",
	"sessionStorage":        "use stash.put(key, value) and stash.get(key)",
	"global":                "the global object is globalThis",
	"self":                  "the global object is globalThis",
	"setInterval":           "use a loop with await sleep(milliseconds), or setTimeout",
	"setImmediate":          "use setTimeout(callback, 0) or queueMicrotask(callback)",
	"performance":           "use Date.now()",
	"WebAssembly":           "there is no WebAssembly here",
	"SharedArrayBuffer":     "there are no threads here: use ArrayBuffer",
	"Atomics":               "there are no threads here",
	"Worker":                "there are no threads here: run host calls side by side with parallel(tasks)",
	"requestAnimationFrame": "use setTimeout",
	"await":                 "await a call where it stands: await f(x)",
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// cutText is s, no longer than limit bytes and valid UTF-8.
func cutText(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// cutUTF8 is the first n bytes of b, or a few less so that no character is cut.
func cutUTF8(b []byte, n int) []byte {
	for n > 0 && n < len(b) && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:min(n, len(b))]
}

// validUTF8 is b with what is not UTF-8, lone surrogates, replaced.
func validUTF8(b []byte) string {
	return strings.ToValidUTF8(string(b), "\ufffd")
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		// Only strings and numbers come here.
		return []byte(`{"code":"INTERNAL","message":"an error that cannot be encoded"}`)
	}
	return b
}
