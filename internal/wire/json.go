package wire

import (
	"fmt"
	"unicode/utf8"
)

// MaxDepth is how deep a body's arrays and objects may be nested.
const MaxDepth = 512

// ValidateJSON checks that b is one JSON text (RFC 8259, surrounded by white
// space at most), in UTF-8, nested at most maxDepth deep. It takes no memory
// beyond maxDepth bits and does not recurse: b may be an attacker's.
//
// It is not encoding/json's Valid because that has no bound on nesting other
// than its own 10,000, accepts invalid UTF-8, and is several times slower: all
// values and arguments of programs pass through it.
func ValidateJSON(b []byte, maxDepth int) error {
	v := validator{b: b, max: maxDepth}
	return v.run()
}

type validator struct {
	b     []byte
	i     int
	max   int
	depth int
	// stack has one bit a level: set for an object.
	stack []uint64
}

func (v *validator) fail(what string) error {
	if v.i >= len(v.b) {
		return fmt.Errorf("JSON ends where %s was expected", what)
	}
	return fmt.Errorf("JSON has %q at byte %d where %s was expected", v.b[v.i], v.i, what)
}

func (v *validator) space() {
	for v.i < len(v.b) {
		switch v.b[v.i] {
		case ' ', '\t', '\n', '\r':
			v.i++
		default:
			return
		}
	}
}

func (v *validator) push(object bool) error {
	if v.depth >= v.max {
		return fmt.Errorf("JSON is nested more than %d deep at byte %d", v.max, v.i)
	}
	word, bit := v.depth/64, uint(v.depth%64)
	if word == len(v.stack) {
		v.stack = append(v.stack, 0)
	}
	if object {
		v.stack[word] |= 1 << bit
	} else {
		v.stack[word] &^= 1 << bit
	}
	v.depth++
	return nil
}

func (v *validator) inObject() bool {
	d := v.depth - 1
	return v.stack[d/64]&(1<<uint(d%64)) != 0
}

func (v *validator) run() error {
	for {
		// A value is expected here.
		v.space()
		if v.i >= len(v.b) {
			return v.fail("a value")
		}
		closed := true
		switch c := v.b[v.i]; {
		case c == '{':
			if err := v.push(true); err != nil {
				return err
			}
			v.i++
			v.space()
			if v.i < len(v.b) && v.b[v.i] == '}' {
				v.i++
				v.depth--
				break
			}
			if err := v.key(); err != nil {
				return err
			}
			closed = false
		case c == '[':
			if err := v.push(false); err != nil {
				return err
			}
			v.i++
			v.space()
			if v.i < len(v.b) && v.b[v.i] == ']' {
				v.i++
				v.depth--
				break
			}
			closed = false
		case c == '"':
			if err := v.str(); err != nil {
				return err
			}
		case c == '-' || c >= '0' && c <= '9':
			if err := v.number(); err != nil {
				return err
			}
		case c == 't':
			if err := v.literal("true"); err != nil {
				return err
			}
		case c == 'f':
			if err := v.literal("false"); err != nil {
				return err
			}
		case c == 'n':
			if err := v.literal("null"); err != nil {
				return err
			}
		default:
			return v.fail("a value")
		}
		if !closed {
			continue
		}
		// A value has ended: close what ends with it, or go to the next.
		for {
			v.space()
			if v.depth == 0 {
				if v.i < len(v.b) {
					return v.fail("the end")
				}
				return nil
			}
			if v.i >= len(v.b) {
				return v.fail("',' or a closing bracket")
			}
			object := v.inObject()
			switch c := v.b[v.i]; {
			case c == ',':
				v.i++
				if object {
					v.space()
					if err := v.key(); err != nil {
						return err
					}
				}
			case c == '}' && object, c == ']' && !object:
				v.i++
				v.depth--
				continue
			default:
				return v.fail("',' or a closing bracket")
			}
			break
		}
	}
}

func (v *validator) key() error {
	if v.i >= len(v.b) || v.b[v.i] != '"' {
		return v.fail("a property name")
	}
	if err := v.str(); err != nil {
		return err
	}
	v.space()
	if v.i >= len(v.b) || v.b[v.i] != ':' {
		return v.fail("':'")
	}
	v.i++
	return nil
}

func (v *validator) literal(word string) error {
	if len(v.b)-v.i < len(word) || string(v.b[v.i:v.i+len(word)]) != word {
		return v.fail(word)
	}
	v.i += len(word)
	return nil
}

// plain marks the bytes that a string may hold as they are, in ASCII.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func (v *validator) str() error {
	b, i := v.b, v.i+1
	for {
		for i < len(b) && plain[b[i]] {
			i++
		}
		v.i = i
		if i >= len(b) {
			return v.fail("the end of a string")
		}
		switch c := b[i]; {
		case c == '"':
			v.i = i + 1
			return nil
		case c == '\\':
			if i+1 >= len(b) {
				v.i = i + 1
				return v.fail("an escape")
			}
			switch b[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				for k := i + 2; k < i+6; k++ {
					if k >= len(b) || !isHex(b[k]) {
						v.i = k
						return v.fail("four hexadecimal digits")
					}
				}
				i += 6
			default:
				v.i = i + 1
				return v.fail("an escape")
			}
		case c < 0x20:
			return v.fail("a character that need not be escaped")
		default:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size <= 1 {
				return v.fail("UTF-8")
			}
			i += size
		}
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (v *validator) digits() bool {
	start := v.i
	for v.i < len(v.b) && v.b[v.i] >= '0' && v.b[v.i] <= '9' {
		v.i++
	}
	return v.i > start
}

func (v *validator) number() error {
	if v.b[v.i] == '-' {
		v.i++
	}
	if v.i < len(v.b) && v.b[v.i] == '0' {
		v.i++
	} else if !v.digits() {
		return v.fail("a digit")
	}
	if v.i < len(v.b) && v.b[v.i] == '.' {
		v.i++
		if !v.digits() {
			return v.fail("a digit")
		}
	}
	if v.i < len(v.b) && (v.b[v.i] == 'e' || v.b[v.i] == 'E') {
		v.i++
		if v.i < len(v.b) && (v.b[v.i] == '+' || v.b[v.i] == '-') {
			v.i++
		}
		if !v.digits() {
			return v.fail("a digit")
		}
	}
	return nil
}

// Member returns the value of a member of the object b, as it stands there: of
// the first one of that name, written without escapes. b must be valid JSON.
func Member(b []byte, name string) (value []byte, ok bool) {
	v := validator{b: b, max: MaxDepth}
	v.space()
	if v.i >= len(b) || b[v.i] != '{' {
		return nil, false
	}
	v.i++
	for {
		v.space()
		start := v.i
		if v.key() != nil {
			return nil, false
		}
		v.space()
		// The name ends before the colon that key went past.
		found := string(b[start:min(start+len(name)+2, len(b))]) == `"`+name+`"`
		from := v.i
		if !v.skip() {
			return nil, false
		}
		if found {
			return b[from:v.i], true
		}
		v.space()
		if v.i >= len(b) || b[v.i] != ',' {
			return nil, false
		}
		v.i++
	}
}

// skip goes past one value.
func (v *validator) skip() bool {
	if v.i >= len(v.b) {
		return false
	}
	depth := 0
	for v.i < len(v.b) {
		switch v.b[v.i] {
		case '"':
			if v.str() != nil {
				return false
			}
		case '{', '[':
			depth++
			v.i++
			continue
		case '}', ']':
			depth--
			v.i++
		case ' ', '\t', '\n', '\r', ',', ':':
			if depth == 0 {
				return false
			}
			v.i++
			continue
		default:
			for v.i < len(v.b) && !isDelimiter(v.b[v.i]) {
				v.i++
			}
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

func isDelimiter(c byte) bool {
	switch c {
	case '"', '{', '}', '[', ']', ' ', '\t', '\n', '\r', ',', ':':
		return true
	}
	return false
}
