package quickjs

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// programFile is what stacks call the program.
const programFile = "program.js"

// form is how a program's text was understood.
type form int

const (
	formExpression form = iota // its value, or what it returns where it is a function
	formScript                 // the value of its last statement
	formBody                   // what it returns
	formModule                 // its default export
)

// code is a program that compiled.
type code struct {
	bytecode value
	form     form
	// wrapped says that running it makes a promise of { value }.
	wrapped bool
}

// source is the text that was compiled and how its positions become the
// author's.
type source struct {
	author   []byte
	text     []byte
	skipped  int // lines of the author's before the text: a fence
	prefix   int // characters of ours at the start of the first line
	ts       *typescript
	imported string // the module that the text wanted
}

// position maps a position in what was compiled to the author's text.
func (s *source) position(line, column int) (int, int) {
	if line == 1 {
		column = max(column-s.prefix, 1)
	}
	if s.ts != nil {
		line, column = s.ts.position(line, column)
	}
	return line + s.skipped, column
}

// syntaxError is why an attempt failed, at the author's position.
type syntaxError struct {
	message      string
	line, column int
}

// after says that e is further into the source than f: an attempt that came
// further understood more.
func (e *syntaxError) after(f *syntaxError) bool {
	return f == nil || e.line > f.line || e.line == f.line && e.column > f.column
}

// prepare compiles the program: as the engine understands it in one of the
// forms, else, its types stripped, in one of them again.
func (e *Engine) prepare(author []byte) (code, *wire.Error) {
	x := &e.run
	e.allowCompile(true)
	defer e.allowCompile(false)
	text, skipped := unfence(author)
	x.source = source{author: author, text: text, skipped: skipped}
	c, bad := e.attempt(text)
	if bad == nil || x.stop != nil || e.heap.exceeded {
		return c, nil
	}
	if x.source.imported == "" {
		ts, err := stripTypes(text)
		switch {
		case err != nil:
			err.line += skipped
			if err.after(bad) {
				bad = err
			}
		default:
			x.source.ts = ts
			c, tsBad := e.attempt(ts.code)
			if tsBad == nil {
				return c, nil
			}
			// The engine's word on code without types is the better one: on
			// the text itself it stumbled over the first type.
			bad = tsBad
		}
	}
	if l := lineOf(author, bad.line); bad.column >= 1 && bad.column <= len(l) && l[bad.column-1] == '@' {
		bad.message = "SyntaxError: decorators are not supported here: call the function on the class or method instead"
	}
	werr := &wire.Error{Code: wire.CodeSyntax, Message: bad.message, Line: bad.line, Column: bad.column}
	if spec := x.source.imported; spec != "" {
		spec, werr.Line, werr.Column = findImport(author, spec)
		werr.Message = noImport(spec)
		werr.Suggestion = withoutImport
	}
	werr.Frame = frame(author, werr.Line, werr.Column)
	return code{}, werr
}

// begin runs what prepare compiled up to its first wait, and returns the
// promise of the program's value.
func (e *Engine) begin(c code) (main value, thrown bool) {
	if c.form == formModule {
		module := e.dup(c.bytecode)
		loaded := e.evaluate(c.bytecode)
		if isException(loaded) {
			return loaded, true
		}
		e.run.main = loaded
		if werr := e.loop(); werr != nil {
			return loaded, false
		}
		if e.promiseState(loaded) != promiseFulfilled {
			return loaded, false
		}
		c.bytecode = e.moduleExport(module)
		if isException(c.bytecode) {
			// A module without a default export has no value.
			e.free(e.takeException())
			c.bytecode = undefined
		}
	} else {
		c.bytecode = e.evaluate(c.bytecode)
		if isException(c.bytecode) {
			return c.bytecode, true
		}
	}
	main = e.call(e.core.main, c.bytecode, newBool(c.wrapped))
	e.free(c.bytecode)
	return main, isException(main)
}

// attempt tries the forms in which a text can be meant.
func (e *Engine) attempt(text []byte) (code, *syntaxError) {
	word := firstWord(text)
	hasAwait := bytes.Contains(text, []byte("await"))
	async := int32(0)
	if hasAwait {
		async = evalAsync
	}
	var best *syntaxError
	try := func(f form, before, after string, flags int32) (code, bool) {
		x := &e.run
		x.source.prefix = len(before)
		v := e.compile(before, text, after, programName, flags)
		if !isException(v) {
			return code{bytecode: v, form: f, wrapped: flags&evalAsync != 0}, true
		}
		if bad := e.syntaxError(); bad.after(best) {
			best = bad
		}
		return code{}, false
	}
	expression := func() (code, bool) {
		flags := async
		if word == "async" || word == "function" {
			// What is awaited is inside: the engine need not wait for us.
			flags = 0
		}
		return try(formExpression, "(", "\n)", flags)
	}
	statement := statementWords[word]
	if !statement {
		if c, ok := expression(); ok {
			return c, nil
		}
	}
	if c, ok := try(formScript, "", "", async); ok {
		return c, nil
	}
	if bytes.Contains(text, []byte("return")) {
		if c, ok := try(formBody, "(async()=>{", "\n})()", 0); ok {
			return c, nil
		}
	}
	if bytes.Contains(text, []byte("export")) || bytes.Contains(text, []byte("import")) {
		if c, ok := try(formModule, "", "", evalModule); ok {
			return c, nil
		}
	}
	return code{}, best
}

// statementWords cannot start an expression.
var statementWords = map[string]bool{
	"const": true, "let": true, "var": true, "if": true, "for": true, "while": true, "do": true, "return": true,
	"try": true, "throw": true, "switch": true, "import": true, "export": true, "interface": true, "type": true,
	"enum": true, "namespace": true, "declare": true,
}

// firstWord is the first identifier of a text, after white space and comments;
// empty if the text starts with something else.
func firstWord(text []byte) string {
	b := skipSpace(text)
	n := 0
	for n < len(b) && (b[n] >= 'a' && b[n] <= 'z' || b[n] >= 'A' && b[n] <= 'Z' || b[n] == '_' || b[n] == '$') {
		n++
	}
	return string(b[:n])
}

// skipSpace is text after its leading white space and comments.
func skipSpace(b []byte) []byte {
	for {
		b = bytes.TrimLeft(b, " \t\r\n\ufeff")
		end := -1
		switch {
		case bytes.HasPrefix(b, []byte("//")):
			if end = bytes.IndexByte(b, '\n'); end < 0 {
				end = len(b)
			}
		case bytes.HasPrefix(b, []byte("/*")):
			if end = bytes.Index(b, []byte("*/")); end >= 0 {
				end += 2
			}
		}
		if end < 0 {
			return b
		}
		b = b[end:]
	}
}

// unfence is the text inside a Markdown fence, if that is how it starts, and
// how many lines are before it.
func unfence(src []byte) (text []byte, skipped int) {
	b := bytes.TrimLeft(src, " \t\r\n\ufeff")
	mark := ""
	for _, m := range []string{"```", "~~~"} {
		if bytes.HasPrefix(b, []byte(m)) {
			mark = m
		}
	}
	if mark == "" {
		return src, 0
	}
	start := bytes.IndexByte(b, '\n')
	if start < 0 || bytes.Contains(b[3:start], []byte(mark)) {
		return src, 0
	}
	body := b[start+1:]
	skipped = bytes.Count(src[:len(src)-len(body)], []byte("\n"))
	if end := bytes.LastIndex(body, []byte("\n"+mark)); end >= 0 {
		body = body[:end+1]
	} else if bytes.HasPrefix(body, []byte(mark)) {
		body = nil
	}
	return body, skipped
}

// syntaxError takes the exception of a compilation.
func (e *Engine) syntaxError() *syntaxError {
	x := e.takeException()
	defer e.free(x)
	s := &syntaxError{message: e.str(x)}
	line, column := e.property(x, lineName), e.property(x, columnName)
	s.line, s.column = int(e.number(line)), int(e.number(column))
	e.free(line)
	e.free(column)
	if s.line > 0 {
		s.line, s.column = e.run.source.position(s.line, s.column)
		// At the end of the text the engine is in what we put behind it.
		if lines := bytes.Count(e.run.source.author, []byte("\n")) + 1; s.line > lines {
			s.line = lines
			s.column = len(lineOf(e.run.source.author, lines)) + 1
		}
	}
	s.message = plainSyntax(s.message)
	return s
}

// plainSyntax says in words what the engine says in its terms.
func plainSyntax(message string) string {
	if strings.HasSuffix(message, "unexpected token in expression: ''") {
		return "SyntaxError: unexpected end of the program: a bracket, a brace or a quote is not closed"
	}
	return message
}

func noImport(spec string) string {
	return fmt.Sprintf("there are no modules here, so %q cannot be imported", spec)
}

const withoutImport = "remove the import: tools, callTool, resources, stash, parallel and the rest are there as globals"

// findImport is where a text names the module that it imports, and how: the
// engine has taken a leading ./ away.
func findImport(src []byte, spec string) (written string, line, column int) {
	for _, quote := range []string{`"`, "'", "`"} {
		for _, before := range []string{"", "./"} {
			if i := bytes.Index(src, []byte(quote+before+spec+quote)); i >= 0 {
				return before + spec, bytes.Count(src[:i], []byte("\n")) + 1, i - bytes.LastIndexByte(src[:i], '\n')
			}
		}
	}
	return spec, 0, 0
}

func lineOf(src []byte, line int) []byte {
	for ; line > 1; line-- {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			return nil
		}
		src = src[i+1:]
	}
	if i := bytes.IndexByte(src, '\n'); i >= 0 {
		src = src[:i]
	}
	return bytes.TrimSuffix(src, []byte("\r"))
}

// frame is a line of the source with a caret below the column.
func frame(src []byte, line, column int) string {
	if line <= 0 {
		return ""
	}
	text := []rune(strings.ToValidUTF8(string(lineOf(src, line)), "\ufffd"))
	column = min(max(column, 1), len(text)+1)
	// A window of a long line (a minified program is one) around the column.
	const width = 120
	from := 0
	if len(text) > width {
		from = max(0, min(column-1-width/2, len(text)-width))
		text = text[from : from+width]
	}
	gutter := fmt.Sprintf("%d | ", line)
	var caret strings.Builder
	caret.WriteString(strings.Repeat(" ", len(gutter)-2) + "| ")
	for _, r := range text[:min(column-1-from, len(text))] {
		if r == '\t' {
			caret.WriteByte('\t')
		} else {
			caret.WriteByte(' ')
		}
	}
	caret.WriteByte('^')
	return gutter + string(text) + "\n" + caret.String()
}
