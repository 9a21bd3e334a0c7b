package quickjs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// Shape is a program as an engine takes it that knows only scripts: the forms
// in which it can be meant and its types are gone.
type Shape struct {
	// Before, Text and After together are the script. Its value is what the
	// program evaluated to; where Wrapped is set, a promise of { value }.
	Before  string `json:"before"`
	After   string `json:"after"`
	Wrapped bool   `json:"wrapped,omitempty"`
	// Text is the program without a fence where there is an Error.
	Text []byte `json:"-"`
	// Error is why there is none.
	Error *wire.Error `json:"error,omitempty"`
	// Imports says that the error is a module that was asked for: no other
	// engine finds one either.
	Imports bool `json:"imports,omitempty"`
}

// A Shaper brings programs into shape for another engine, by the code that
// brings them into shape for this one, and says where in the author's text an
// error of that engine is. It never runs a program. It is not safe for
// concurrent use.
type Shaper struct {
	e   *Engine
	src source // of the program that was shaped last
}

// NewShaper makes a Shaper. Of cfg the heap and the stack bound what a program
// may cost to be parsed.
func NewShaper(cfg Config) (*Shaper, error) {
	e, err := New(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a shaper: %w", err)
	}
	return &Shaper{e: e}, nil
}

// Rearm forgets the memory that the last Shape took. It must come between two
// of them.
func (s *Shaper) Rearm() error { return s.e.Arm(s.e.heapLimit, s.e.stackLimit) }

// Shape finds the form of a program.
func (s *Shaper) Shape(author []byte) Shape {
	e := s.e
	e.run = execution{program: Program{Source: author}}
	e.armed = false
	c, werr := e.prepare(author)
	if v := e.verdict(werr); v != nil {
		s.src = e.run.source
		return Shape{Error: v, Imports: s.src.imported != "", Text: s.src.text}
	}
	s.src = e.run.source
	sh, werr := s.script(c)
	if werr != nil {
		return Shape{Error: werr}
	}
	s.src.prefix = len([]rune(sh.Before))
	return sh
}

// script turns what prepare understood into a script without await at its top.
func (s *Shaper) script(c code) (Shape, *wire.Error) {
	text := s.src.text
	if s.src.ts != nil {
		text = s.src.ts.code
	}
	switch c.form {
	case formExpression:
		if c.wrapped {
			return Shape{Before: "(async()=>({value:(", Text: text, After: "\n)}))()", Wrapped: true}, nil
		}
		return Shape{Before: "(", Text: text, After: "\n)"}, nil
	case formBody:
		return Shape{Before: "(async()=>{", Text: text, After: "\n})()"}, nil
	case formScript:
		if !c.wrapped {
			return Shape{Text: text}, nil
		}
	}
	if werr := s.canonical(text); werr != nil {
		return Shape{}, werr
	}
	if c.form == formModule {
		body, tail := withoutExports(s.src.ts)
		return Shape{Before: `(async()=>{"use strict";`, Text: body, After: "\n" + tail + "})()", Wrapped: tail != ""}, nil
	}
	body, returns := returnLast(s.src.ts)
	return Shape{Before: "(async()=>{", Text: body, After: "\n})()", Wrapped: returns}, nil
}

// canonical has the program printed anew, so that each of its statements
// begins a line and nothing else begins one.
func (s *Shaper) canonical(text []byte) *wire.Error {
	if s.src.ts != nil {
		return nil // it is so already
	}
	bad := tooComplex(text)
	if bad == nil {
		var ts *typescript
		if ts, bad = transformAs(api.LoaderJS, text, 0); bad == nil {
			s.src.ts = ts
			return nil
		}
	}
	werr := &wire.Error{Code: wire.CodeSyntax, Message: bad.message, Line: bad.line + s.src.skipped, Column: bad.column}
	werr.Frame = frame(s.src.author, werr.Line, werr.Column)
	return werr
}

// statements returns where the statements at the top of canonical code begin.
// The code is the printer's: each begins its line without space before it, and
// a line that begins with a closing bracket goes on with one.
func statements(code []byte) []int {
	var starts []int
	depth, lineStart := 0, true
	var templates []int // the depths at which open templates go on
	for i := 0; i < len(code); i++ {
		c := code[i]
		if lineStart && depth == 0 && !strings.ContainsRune(" \t\r\n})]/", rune(c)) {
			if !goesOn(code, i, starts) {
				starts = append(starts, i)
			}
		}
		lineStart = false
		switch c {
		case '\n':
			lineStart = true
		case '"', '\'':
			i = skipQuoted(code, i)
		case '`':
			i, depth, templates = skipTemplate(code, i+1, depth, templates)
		case '/':
			i = skipSlash(code, i)
		case '(', '[', '{':
			depth++
		case ')', ']':
			depth--
		case '}':
			depth--
			if n := len(templates); n > 0 && templates[n-1] == depth {
				templates = templates[:n-1]
				i, depth, templates = skipTemplate(code, i+1, depth, templates)
			}
		}
	}
	return starts
}

// goesOn says that the line at i goes on with the statement before it: an if or
// a do whose own statement has a line without braces.
func goesOn(code []byte, i int, starts []int) bool {
	if bytes.HasPrefix(code[i:], []byte("else ")) || bytes.HasPrefix(code[i:], []byte("else\n")) {
		return true
	}
	return bytes.HasPrefix(code[i:], []byte("while (")) && len(starts) > 0 && bytes.HasPrefix(code[starts[len(starts)-1]:], []byte("do\n"))
}

// skipQuoted returns the index of the quote that ends the string at i.
func skipQuoted(code []byte, i int) int {
	for j := i + 1; j < len(code); j++ {
		switch code[j] {
		case '\\':
			j++
		case code[i]:
			return j
		}
	}
	return len(code)
}

// skipTemplate goes on in a template at i, to its end or into a substitution.
func skipTemplate(code []byte, i, depth int, templates []int) (int, int, []int) {
	for ; i < len(code); i++ {
		switch {
		case code[i] == '\\':
			i++
		case code[i] == '`':
			return i, depth, templates
		case code[i] == '$' && i+1 < len(code) && code[i+1] == '{':
			return i + 1, depth + 1, append(templates, depth)
		}
	}
	return i, depth, templates
}

// skipSlash returns the index of the last byte of what the slash at i begins:
// a comment, a regular expression, or a division.
func skipSlash(code []byte, i int) int {
	if i+1 < len(code) && code[i+1] == '/' {
		if n := bytes.IndexByte(code[i:], '\n'); n >= 0 {
			return i + n - 1
		}
		return len(code)
	}
	if i+1 < len(code) && code[i+1] == '*' {
		if n := bytes.Index(code[i+2:], []byte("*/")); n >= 0 {
			return i + n + 3
		}
		return len(code)
	}
	// The printer puts a space before what follows a value: a division has one
	// on each side, a regular expression does not begin with one.
	if i > 0 && i+1 < len(code) && code[i-1] == ' ' && (code[i+1] == ' ' || code[i+1] == '=') && endsValue(code[:i-1]) {
		return i
	}
	class := false
	for j := i + 1; j < len(code) && code[j] != '\n'; j++ {
		switch code[j] {
		case '\\':
			j++
		case '[':
			class = true
		case ']':
			class = false
		case '/':
			if !class {
				return j
			}
		}
	}
	return i
}

var beforeValue = regexp.MustCompile(`(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|do|else|await|yield|instanceof|default|extends)$`)

// endsValue says that what ends here is a value, so that a slash divides it.
func endsValue(code []byte) bool {
	if len(code) == 0 {
		return false
	}
	c := code[len(code)-1]
	if !isNameByte(c) {
		return strings.ContainsRune(")]}\"'`/+-", rune(c))
	}
	return !beforeValue.Match(code[max(0, len(code)-16):])
}

var declares = regexp.MustCompile(`^(?:(?:const|let|var|if|for|while|do|return|try|throw|switch|class|function|import|export|break|continue|debugger|with|using)\b|async function\b|await using\b|[{;]|[\w$]+:)`)

// returnLast makes the program return the value of its last statement, as
// { value }, and says whether there is one.
func returnLast(ts *typescript) (body []byte, returns bool) {
	code := ts.code
	starts := statements(code)
	if len(starts) == 0 {
		return code, false
	}
	at := starts[len(starts)-1]
	last := bytes.TrimRight(code[at:], " \t\r\n;")
	if declares.Match(last) {
		return returnCompletion(ts)
	}
	const before, after = "return { value: (", "\n) };"
	body = append(append(append(append([]byte{}, code[:at]...), before...), last...), after...)
	ts.moved(bytes.Count(code[:at], []byte("\n")), len(before))
	return body, true
}

// moved says that what was on a line has been moved to the right.
func (t *typescript) moved(line, columns int) {
	for i := range t.mapping {
		if t.mapping[i].line == line {
			t.mapping[i].column += columns
		}
	}
}

var (
	defaultDeclaration = regexp.MustCompile(`^export default ((?:async )?function\*?|class)(?: ([\w$]+))?`)
	exportList         = regexp.MustCompile(`^export \{([^}]*)\};?`)
	exportedAs         = regexp.MustCompile(`([\w$]+) as default`)
)

// withoutExports makes a module a function's body: exports are declarations,
// and tail returns the one that is the default, as { value }.
func withoutExports(ts *typescript) (body []byte, tail string) {
	code := append([]byte{}, ts.code...)
	name := "$default"
	for bytes.Contains(code, []byte(name)) {
		name += "_"
	}
	result := ""
	starts := statements(code)
	// From the end, so that places stay right.
	for i := len(starts) - 1; i >= 0; i-- {
		at := starts[i]
		line := bytes.Count(code[:at], []byte("\n"))
		replace := func(n int, with string) {
			code = append(append(append([]byte{}, code[:at]...), with...), code[at+n:]...)
			ts.moved(line, len(with)-n)
		}
		rest := code[at:]
		if m := defaultDeclaration.FindSubmatch(rest); m != nil {
			result = string(m[2])
			if result == "" || result == "extends" {
				result = name
				replace(len("export default ")+len(m[1]), string(m[1])+" "+name)
			} else {
				replace(len("export default "), "")
			}
			continue
		}
		if m := exportList.FindSubmatch(rest); m != nil {
			if d := exportedAs.FindSubmatch(m[1]); d != nil {
				result = string(d[1])
			}
			// Lines stay, for positions.
			replace(len(m[0]), strings.Repeat("\n", bytes.Count(m[0], []byte("\n"))))
			continue
		}
		switch {
		case bytes.HasPrefix(rest, []byte("export default ")):
			result = name
			replace(len("export default "), "const "+name+" = ")
		case bytes.HasPrefix(rest, []byte("export ")):
			replace(len("export "), "")
		}
	}
	if result == "" {
		return code, ""
	}
	return code, "return { value: " + result + " };"
}

var (
	missingImport = regexp.MustCompile(`there are no modules here, so ("(?:[^"\\]|\\.)*") cannot be imported$`)
	missingName   = regexp.MustCompile(`^ReferenceError: ([\w$]+) is not defined`)
)

// Explain is what the prelude says of a thrown value, as a typed error that
// names places in the program that was shaped last.
func (s *Shaper) Explain(description []byte) *wire.Error {
	var t thrown
	if err := json.Unmarshal(description, &t); err != nil {
		t = thrown{Message: "the program threw a value that cannot be shown"}
	}
	src := s.src
	if m := missingImport.FindStringSubmatch(firstLine(t.Message)); m != nil && t.Reference {
		if spec, err := strconv.Unquote(m[1]); err == nil {
			src.imported = strings.TrimPrefix(spec, "./")
			t.Message = "ReferenceError: " + noImport(src.imported)
		}
	}
	werr := src.explain(t)
	if m := missingName.FindStringSubmatch(t.Message); m != nil && t.Reference {
		werr.Suggestion = missing[m[1]]
	}
	return werr
}

// ExplainSyntax is an engine's word on a script that it does not take.
func (s *Shaper) ExplainSyntax(message string, line, column int) *wire.Error {
	werr := &wire.Error{Code: wire.CodeSyntax, Message: cutText(message, maxMessage)}
	if line > 0 {
		werr.Line, werr.Column = s.src.position(line, column)
	}
	werr.Frame = frame(s.src.author, werr.Line, werr.Column)
	return werr
}

// Plain makes the program as it stands, in the text given before and after it,
// what later positions are in: for an engine that understands more than this
// one does.
func (s *Shaper) Plain(before string) {
	s.src.ts, s.src.prefix = nil, len([]rune(before))
}
