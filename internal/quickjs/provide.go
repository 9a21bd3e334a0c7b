package quickjs

import (
	"bytes"
	"fmt"
)

// The libraries of the prelude are not loaded until a program's text mentions
// what they offer. A program cannot tell: without eval, a global can only be
// reached by its name or through the global object, and the latter takes one
// of the words in reflective.
var provisions = []struct {
	library string
	words   []string
}{
	{"api", []string{"resources", "stash", "catalog", "emit", "progress", "forge", "codemode", "crypto"}},
	{"url", []string{"URL"}},
	{"text", []string{"TextEncoder", "TextDecoder", "atob", "btoa", "fromAsync"}},
	{"clone", []string{"structuredClone"}},
	{"intl", []string{"Intl", "toLocale", "localeCompare"}},
}

// special are words without which all values of a program are plain: what
// JSON.stringify says of them is what we say.
var special = words("Map", "Set", "Error", "catch", "then(", "settle", "allSettled", "BigInt", "Int8", "Int16", "Int32", "Uint", "Float", "ArrayBuffer", "DataView", "RegExp", "encode")

func words(s ...string) [][]byte {
	b := make([][]byte, len(s))
	for i := range s {
		b[i] = []byte(s[i])
	}
	return b
}

// provide gives the isolate the globals that the program mentions.
func (e *Engine) provide(src []byte) error {
	all := reflective(src)
	for _, p := range provisions {
		needed := all
		for i := 0; i < len(p.words) && !needed; i++ {
			needed = bytes.Contains(src, []byte(p.words[i]))
		}
		if !needed {
			continue
		}
		e.used[p.library] = true
		name := e.newString(p.library)
		r := e.call(e.core.install, name)
		e.free(name)
		if isException(r) {
			return fmt.Errorf("load the prelude: %s: %s", p.library, e.exceptionText())
		}
		e.free(r)
	}
	if !all && isPlain(src) {
		e.finish(e.call(e.core.plain, valueTrue))
	}
	return nil
}

// reflective says that the program may look at the global object, or writes
// names with escapes.
func reflective(src []byte) bool {
	if bytes.Contains(src, []byte("globalThis")) || bytes.Contains(src, []byte(`\u`)) {
		return true
	}
	// this.name names what it reaches; this on its own can be taken apart.
	for rest := src; ; {
		i := bytes.Index(rest, []byte("this"))
		if i < 0 {
			return false
		}
		rest = rest[i+len("this"):]
		after := bytes.TrimLeft(rest, " \t\r\n?")
		if len(after) < 2 || after[0] != '.' || after[1] == '.' || after[1] == '[' {
			return true
		}
	}
}

// isPlain says that no value of the program can be one that takes conversion:
// it mentions nothing that makes one, and has no literal of one.
func isPlain(src []byte) bool {
	for _, w := range special {
		if bytes.Contains(src, w) {
			return false
		}
	}
	for i, c := range src {
		switch c {
		case 'n':
			// A BigInt: a number, n, and no more of a name.
			if i+1 < len(src) && isNameByte(src[i+1]) {
				continue
			}
			start := i
			for start > 0 && isNameByte(src[start-1]) {
				start--
			}
			if src[start] >= '0' && src[start] <= '9' {
				return false
			}
		case '/':
			// A regular expression, unless it is a comment.
			prev, next := byte(0), byte(0)
			if i > 0 {
				prev = src[i-1]
			}
			if i+1 < len(src) {
				next = src[i+1]
			}
			if next != '/' && prev != '/' && next != '*' && prev != '*' {
				return false
			}
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80
}
