package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A tree is what a file says, of whatever form: map[string]any, []any, string,
// int64, float64, bool, and in TOML dates. Next to it stands where each key is.
type tree struct {
	root map[string]any
	at   map[string]position
}

type position struct{ line, column int }

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join returns the path of a key in the table at path.
func join(path, key string) string {
	if !bareKey.MatchString(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// place returns where the key at path is, or what it is in.
func (t *tree) place(path string) position {
	for path != "" {
		if p, ok := t.at[path]; ok {
			return p
		}
		path = path[:max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['), 0)]
	}
	return position{}
}

// maxDepth bounds how deep tables and lists may nest.
const maxDepth = 200

const (
	maxTOML = 4 << 20
	maxJSON = 64 << 20 // some clients keep their whole state in the file
)

func parseTOML(file string, data []byte) (*tree, error) {
	if len(data) > maxTOML {
		return nil, &Error{File: file, Message: fmt.Sprintf("it has %d bytes, and %d is the most", len(data), maxTOML)}
	}
	t := &tree{root: map[string]any{}, at: map[string]position{}}
	if err := toml.Unmarshal(data, &t.root); err != nil {
		e := &Error{File: file, Message: strings.TrimPrefix(err.Error(), "toml: ")}
		if d, ok := errors.AsType[*toml.DecodeError](err); ok {
			e.Line, e.Column = d.Position()
			for _, part := range d.Key() {
				e.Key = join(e.Key, part)
			}
		}
		return nil, e
	}
	t.locate(data)
	return t, nil
}

// locate finds the keys of a TOML document that has been found to be one.
func (t *tree) locate(data []byte) {
	var p unstable.Parser
	p.Reset(data)
	lines := newLineIndex(data)
	arrays := map[string]int{} // elements so far, by path
	table := ""
	// walk goes down the key's parts from path; the last element of an array
	// of tables is what its name stands for.
	walk := func(path string, it unstable.Iterator) string {
		for it.Next() {
			n := it.Node()
			path = join(path, string(n.Data))
			if _, seen := t.at[path]; !seen {
				t.at[path] = lines.position(int(n.Raw.Offset))
			}
			if n, ok := arrays[path]; ok && !it.IsLast() {
				path = index(path, n-1)
			}
		}
		return path
	}
	var value func(path string, n *unstable.Node, depth int)
	value = func(path string, n *unstable.Node, depth int) {
		if depth > maxDepth {
			return
		}
		switch n.Kind {
		case unstable.InlineTable:
			for it := n.Children(); it.Next(); {
				kv := it.Node()
				value(walk(path, kv.Key()), kv.Value(), depth+1)
			}
		case unstable.Array:
			i := 0
			for it := n.Children(); it.Next(); {
				if it.Node().Kind == unstable.Comment {
					continue
				}
				value(index(path, i), it.Node(), depth+1)
				i++
			}
		}
	}
	for p.NextExpression() {
		n := p.Expression()
		switch n.Kind {
		case unstable.Table:
			table = walk("", n.Key())
			if n, ok := arrays[table]; ok {
				table = index(table, n-1)
			}
		case unstable.ArrayTable:
			table = walk("", n.Key())
			arrays[table]++
			key := n.Key()
			key.Next()
			at := lines.position(int(key.Node().Raw.Offset))
			table = index(table, arrays[table]-1)
			t.at[table] = at
		case unstable.KeyValue:
			value(walk(table, n.Key()), n.Value(), 0)
		}
	}
}

// lineIndex turns offsets into lines and columns.
type lineIndex struct {
	data   []byte
	starts []int
}

func newLineIndex(data []byte) *lineIndex {
	l := &lineIndex{data: data, starts: []int{0}}
	for i, c := range data {
		if c == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

func (l *lineIndex) position(offset int) position {
	lo, hi := 0, len(l.starts)
	for lo+1 < hi {
		if mid := (lo + hi) / 2; l.starts[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return position{lo + 1, offset - l.starts[lo] + 1}
}

// parseJSON reads JSON with what VS Code allows besides: comments, and commas
// after the last element.
func parseJSON(file string, data []byte) (*tree, error) {
	if len(data) > maxJSON {
		return nil, &Error{File: file, Message: fmt.Sprintf("it has %d bytes, and %d is the most", len(data), maxJSON)}
	}
	data = plainJSON(data)
	j := &jsonReader{
		dec: json.NewDecoder(bytes.NewReader(data)), data: data, lines: newLineIndex(data),
		tree: &tree{root: map[string]any{}, at: map[string]position{}},
	}
	j.dec.UseNumber()
	v, err := j.value("", 0)
	if err == nil {
		if _, err = j.dec.Token(); err == nil {
			err = errors.New("there is something after the end of the object")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		p := j.lines.position(int(j.dec.InputOffset()))
		if s, ok := errors.AsType[*json.SyntaxError](err); ok {
			p = j.lines.position(max(0, int(s.Offset)-1))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends in the middle")
		}
		return nil, &Error{File: file, Line: p.line, Column: p.column, Message: err.Error()}
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, &Error{File: file, Line: 1, Column: 1, Message: "it must be an object"}
	}
	j.tree.root = root
	return j.tree, nil
}

type jsonReader struct {
	dec   *json.Decoder
	data  []byte
	lines *lineIndex
	tree  *tree
}

func (j *jsonReader) value(path string, depth int) (any, error) {
	tok, err := j.dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		if n, ok := tok.(json.Number); ok {
			if i, err := n.Int64(); err == nil {
				return i, nil
			}
			return n.Float64()
		}
		return tok, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("%s nests more than %d deep", path, maxDepth)
	}
	if delim == '[' {
		list := []any{}
		for j.dec.More() {
			v, err := j.value(index(path, len(list)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := j.dec.Token()
		return list, err
	}
	object := map[string]any{}
	for j.dec.More() {
		tok, err := j.dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := tok.(string)
		if !ok {
			return nil, fmt.Errorf("a key must be a string")
		}
		p := join(path, key)
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("%s is there twice", p)
		}
		// The offset is that of the key's end; what its escapes hide does not
		// matter for a column.
		j.tree.at[p] = j.lines.position(max(0, int(j.dec.InputOffset())-len(key)-2))
		if object[key], err = j.value(p, depth+1); err != nil {
			return nil, err
		}
	}
	_, err = j.dec.Token()
	return object, err
}

// plainJSON returns data with comments and the commas after last elements
// blanked out, byte for byte, so that offsets stay.
func plainJSON(data []byte) []byte {
	out := bytes.Clone(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			}
		}
	}
	comma := -1       // of the last comma after an element, if only space has followed
	last := byte('{') // the last byte that is no space
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"':
			comma, last = -1, c
			for i++; i < len(out) && out[i] != '"' && out[i] != '\n'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '/':
			end := bytes.IndexByte(out[i:], '\n')
			if end < 0 {
				end = len(out) - i
			}
			blank(i, i+end)
			i += end - 1
		case c == '/' && i+1 < len(out) && out[i+1] == '*':
			end := bytes.Index(out[i+2:], []byte("*/"))
			if end < 0 {
				return out // the decoder says what is wrong
			}
			blank(i, i+2+end+2)
			i += 2 + end + 1
		case c == ',':
			comma = -1
			if !strings.ContainsRune("{[,:", rune(last)) {
				comma = i
			}
			last = c
		case c == '}' || c == ']':
			if comma >= 0 {
				out[comma] = ' '
			}
			comma, last = -1, c
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		default:
			comma, last = -1, c
		}
	}
	return out
}
