package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// maxNesting is how deep the JSON of a schema may be nested. Schemas of people
// stay below 40.
const maxNesting = 256

// value is a JSON value that remembers the order of its keys: a server's author
// put the important properties first, and a model should read them first. It
// lives while a schema is read, and belongs to one goroutine.
type value struct {
	kind  byte // n(ull), t(rue), f(alse), 0 (a number), " (a string), [ or {
	text  string
	items []*value // of an array or, in the order of keys, of an object
	keys  []string
	index map[string]int // of a large object: where its keys are, once asked for
}

// parseJSON reads one JSON text of bounded nesting.
func parseJSON(raw []byte) (*value, error) {
	if err := wire.ValidateJSON(raw, maxNesting); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return parseValue(d)
}

func parseValue(d *json.Decoder) (*value, error) {
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	switch t := token.(type) {
	case nil:
		return &value{kind: 'n'}, nil
	case bool:
		if t {
			return &value{kind: 't'}, nil
		}
		return &value{kind: 'f'}, nil
	case json.Number:
		return &value{kind: '0', text: t.String()}, nil
	case string:
		return &value{kind: '"', text: t}, nil
	case json.Delim:
		v := &value{kind: byte(t)}
		for d.More() {
			if t == '{' {
				key, err := d.Token()
				if err != nil {
					return nil, fmt.Errorf("reading a schema: %w", err)
				}
				v.keys = append(v.keys, key.(string))
			}
			item, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, item)
		}
		if _, err := d.Token(); err != nil {
			return nil, fmt.Errorf("reading a schema: %w", err)
		}
		return v, nil
	}
	return nil, fmt.Errorf("reading a schema: unexpected %T", token)
}

// The methods below answer for a nil value as for one that is absent.

func (v *value) is(kind byte) bool { return v != nil && v.kind == kind }

// get returns the member of an object, the last one where a key occurs more
// than once, as most readers of JSON do.
func (v *value) get(key string) *value {
	if v.is('{') {
		if len(v.keys) > 32 {
			if v.index == nil {
				v.index = make(map[string]int, len(v.keys))
				for i, k := range v.keys {
					v.index[k] = i
				}
			}
			if i, ok := v.index[key]; ok {
				return v.items[i]
			}
			return nil
		}
		for i := len(v.keys) - 1; i >= 0; i-- {
			if v.keys[i] == key {
				return v.items[i]
			}
		}
	}
	return nil
}

// has reports whether any of the keys is there.
func (v *value) has(keys ...string) bool {
	for _, k := range keys {
		if v.get(k) != nil {
			return true
		}
	}
	return false
}

// str returns the text of a string, else "".
func (v *value) str() string {
	if v.is('"') {
		return v.text
	}
	return ""
}

// num returns the literal of a number, else "".
func (v *value) num() string {
	if v.is('0') {
		return v.text
	}
	return ""
}

// list returns the elements of an array, else nil.
func (v *value) list() []*value {
	if v.is('[') {
		return v.items
	}
	return nil
}

// schema reports whether v can be a schema.
func (v *value) schema() bool { return v.is('{') || v.is('t') || v.is('f') }

// literal returns v as compact JSON, cut after about max bytes.
func (v *value) literal(max int) string {
	var b bytes.Buffer
	v.write(&b, max)
	return b.String()
}

func (v *value) write(b *bytes.Buffer, max int) {
	if b.Len() > max {
		return
	}
	switch {
	case v == nil || v.kind == 'n':
		b.WriteString("null")
	case v.kind == 't':
		b.WriteString("true")
	case v.kind == 'f':
		b.WriteString("false")
	case v.kind == '0':
		b.WriteString(v.text)
	case v.kind == '"':
		b.WriteString(quote(v.text))
	default:
		b.WriteByte(v.kind)
		for i, item := range v.items {
			if b.Len() > max {
				b.WriteString("…")
				break
			}
			if i > 0 {
				b.WriteString(", ")
			}
			if v.kind == '{' {
				b.WriteString(quote(v.keys[i]) + ": ")
			}
			item.write(b, max)
		}
		b.WriteByte(v.kind + 2) // [ to ], { to }
	}
}
