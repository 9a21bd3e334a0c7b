package catalog

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// quote returns s as a TypeScript string literal whose value is exactly s. What
// a reader would not see, or what Clean would neutralise, is escaped, so that
// names and enum values keep their identity and still hide nothing.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	previous, marks := rune(0), 0
	for i, r := range s {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '<' && taggy(s[i+1:]), r == '>' && previous != '-' && previous != '=' && strings.Contains(s[:i], "<"),
			// The end of a comment and of a fence, wherever the literal may stand.
			r == '/' && previous == '*', r == '`' && previous == '`',
			r > 0x7e && (invisible(r) || unicode.Is(unicode.Z, r) || marks > 4 || r == 0x2800 || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0),
			r < 0x20 || r == 0x7f:
			escape(&b, r)
		default:
			b.WriteRune(r)
		}
		previous = r
	}
	b.WriteByte('"')
	return b.String()
}

func escape(b *strings.Builder, r rune) {
	if hi, lo := utf16.EncodeRune(r); hi != unicode.ReplacementChar {
		fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
		return
	}
	fmt.Fprintf(b, `\u%04x`, r)
}

// quoteName returns a name for a message: quoted, escaped and at most about 80
// characters long, as it may be a program's or a server's.
func quoteName(s string) string { return quote(cut(cutBytes(s, 400), 80)) }

// identifier reports whether s can stand in TypeScript without quotes. It is
// strict: ASCII only.
func identifier(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

// property returns s as the name of a property in a type. "new" would begin a
// construct signature.
func property(s string) string {
	if identifier(s) && s != "new" {
		return s
	}
	return quote(s)
}

// member returns how to reach s in an object: .s or ["s"].
func member(s string) string {
	if identifier(s) {
		return "." + s
	}
	return "[" + quote(s) + "]"
}

// pascal makes the name of a type of a name of any kind, "" where nothing is
// left of it.
func pascal(s string) string {
	var b strings.Builder
	for _, w := range words(cutBytes(s, 200)) {
		w = strings.Map(func(r rune) rune {
			if r < 0x80 {
				return r
			}
			return -1
		}, w)
		if w == "" || b.Len() == 0 && w[0] >= '0' && w[0] <= '9' {
			continue
		}
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
		if b.Len() > 40 {
			break
		}
	}
	return b.String()
}
