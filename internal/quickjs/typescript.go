package quickjs

import (
	"bytes"
	"encoding/json"
	"sort"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// esbuild parses by recursion without a bound of its own, and a Go stack that
// runs out takes the process with it. So what it is given is bounded: how deep
// brackets are nested, and how long chains such as !!!!x or a.b.c.d are, which
// nest without brackets. These fit a stack of 64 MiB (a test holds them to it),
// and keep what takes cubic time (a=>a=>a=>…) below a second.
const (
	maxNesting = 500
	maxChain   = 2_000
)

// typescript is a program without its types, and where its positions were.
type typescript struct {
	code    []byte
	shift   int // lines that we put before the author's first
	mapping []mapping
}

// mapping says that a position of the code comes from one of the author's. All
// are counted from 0.
type mapping struct{ line, column, fromLine, fromColumn int }

// stripTypes makes JavaScript of TypeScript. The error is at a position of
// text.
func stripTypes(text []byte) (*typescript, *syntaxError) {
	if bad := tooComplex(text); bad != nil {
		return nil, bad
	}
	// As it stands first: that keeps export default, and the value of a last
	// expression. A return at the top needs a function around it; together
	// with await esbuild does not take it otherwise.
	ts, bad := transform(text, 0)
	if bad == nil {
		return ts, nil
	}
	if bytes.Contains(text, []byte("return")) {
		body := make([]byte, 0, len(text)+32)
		body = append(append(append(body, "(async () => {\n"...), text...), "\n})()"...)
		ts, inBody := transform(body, 1)
		if inBody == nil {
			return ts, nil
		}
		if inBody.after(bad) {
			bad = inBody
		}
	}
	// A function without a name is no statement.
	expr := append(append([]byte("(\n"), bytes.TrimRight(text, " \t\r\n;")...), "\n)"...)
	if ts, inExpr := transform(expr, 1); inExpr == nil {
		return ts, nil
	}
	return nil, bad
}

func transform(text []byte, shift int) (*typescript, *syntaxError) {
	return transformAs(api.LoaderTS, text, shift)
}

func transformAs(loader api.Loader, text []byte, shift int) (*typescript, *syntaxError) {
	r := api.Transform(string(text), api.TransformOptions{
		Loader:        loader,
		Target:        api.ESNext,
		Sourcemap:     api.SourceMapExternal,
		Sourcefile:    programFile,
		LogLevel:      api.LogLevelSilent,
		LogLimit:      1,
		TreeShaking:   api.TreeShakingFalse,
		TsconfigRaw:   `{"compilerOptions":{"useDefineForClassFields":true,"verbatimModuleSyntax":false}}`,
		LegalComments: api.LegalCommentsNone,
	})
	if len(r.Errors) > 0 {
		m := r.Errors[0]
		s := &syntaxError{message: "SyntaxError: " + m.Text}
		if m.Location != nil {
			s.line = m.Location.Line - shift
			s.column = columnOf(lineOf(text, m.Location.Line), m.Location.Column)
		}
		if shift > 0 {
			s.line = min(max(s.line, 1), bytes.Count(text, []byte("\n"))-1)
		}
		return nil, s
	}
	ts := &typescript{code: r.Code, shift: shift}
	var m struct {
		Mappings string `json:"mappings"`
	}
	if json.Unmarshal(r.Map, &m) == nil {
		ts.mapping = decodeMappings(m.Mappings)
	}
	return ts, nil
}

// columnOf is the 1-based column, in characters, of a byte offset.
func columnOf(line []byte, offset int) int {
	return len([]rune(string(line[:min(offset, len(line))]))) + 1
}

// position is where a position of the code comes from.
func (t *typescript) position(line, column int) (int, int) {
	l, c := line-1, column-1
	i := sort.Search(len(t.mapping), func(i int) bool {
		m := t.mapping[i]
		return m.line > l || m.line == l && m.column > c
	}) - 1
	if i < 0 || t.mapping[i].line != l {
		// Nothing before it on its line: the next is nearest.
		if i+1 < len(t.mapping) {
			i++
		}
		if i < 0 || i >= len(t.mapping) {
			return max(line-t.shift, 1), column
		}
		return max(t.mapping[i].fromLine+1-t.shift, 1), t.mapping[i].fromColumn + 1
	}
	// What follows the start of a mapping on the same line is printed as it
	// was more often than not.
	m := t.mapping[i]
	extra := c - m.column
	if i+1 < len(t.mapping) && t.mapping[i+1].fromLine == m.fromLine && t.mapping[i+1].fromColumn > m.fromColumn {
		extra = min(extra, t.mapping[i+1].fromColumn-m.fromColumn-1)
	}
	return max(m.fromLine+1-t.shift, 1), m.fromColumn + 1 + extra
}

// decodeMappings reads the base-64 numbers of a source map. esbuild writes it
// about one source; what cannot be read ends it.
func decodeMappings(s string) []mapping {
	var out []mapping
	var cur mapping
	for _, line := range strings.Split(s, ";") {
		cur.column = 0
		for _, segment := range strings.Split(line, ",") {
			fields, ok := decodeVLQ(segment)
			if !ok {
				return out
			}
			if len(fields) == 0 {
				continue
			}
			cur.column += fields[0]
			if len(fields) >= 4 {
				cur.fromLine += fields[2]
				cur.fromColumn += fields[3]
				out = append(out, cur)
			}
		}
		cur.line++
	}
	return out
}

func decodeVLQ(s string) ([]int, bool) {
	var fields []int
	n, shift := 0, 0
	for i := 0; i < len(s); i++ {
		d := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", s[i])
		if d < 0 || shift > 30 {
			return nil, false
		}
		n |= d & 31 << shift
		shift += 5
		if d&32 == 0 {
			if n&1 != 0 {
				n = -(n >> 1)
			} else {
				n >>= 1
			}
			fields = append(fields, n)
			n, shift = 0, 0
		}
	}
	return fields, shift == 0
}
