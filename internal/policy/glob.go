package policy

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxPattern bounds a pattern, in bytes.
const maxPattern = 1024

// Match reports whether the pattern matches all of name. In a pattern * stands
// for any number of characters, ? for one, and \ takes the meaning from the
// character after it; everything else stands for itself. There are no others,
// and / and . are characters like any other.
//
// Bytes are compared: nothing is folded, trimmed or normalised. "delete" does
// not match "Delete", nor "delete " nor a word with a Cyrillic е in it, and an
// é of one code point does not match one of two. A name that looks like another
// is another name; what may be called by it is for the catalog to say, which
// has only names that servers have given, byte for byte. Where that is not
// enough, let the default be deny.
func Match(pattern, name string) bool {
	// Where the last * was, and where in name its share ends so far: it is
	// enough to go back to the last one.
	star, share := -1, 0
	p, n := 0, 0
	for n < len(name) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '*':
				star, share = p, n
				p++
				continue
			case c == '?':
				_, size := utf8.DecodeRuneInString(name[n:])
				p, n = p+1, n+size
				continue
			case c == '\\' && p+1 < len(pattern):
				if pattern[p+1] == name[n] {
					p, n = p+2, n+1
					continue
				}
			case c == name[n]:
				p, n = p+1, n+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, size := utf8.DecodeRuneInString(name[share:])
		share += size
		p, n = star+1, share
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// Literal reports whether the pattern matches one name alone, and which.
func Literal(pattern string) (name string, ok bool) {
	var b []byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*' || c == '?':
			return "", false
		case c == '\\' && i+1 < len(pattern):
			i++
			b = append(b, pattern[i])
		default:
			b = append(b, c)
		}
	}
	return string(b), true
}

// Quote returns the pattern that matches name alone.
func Quote(name string) string {
	var b []byte
	for i := range len(name) {
		if c := name[i]; c == '*' || c == '?' || c == '\\' || c == '[' || c == '{' {
			b = append(b, '\\')
		}
		b = append(b, name[i])
	}
	return string(b)
}

// CheckPattern says what is wrong with a pattern: it is empty or too long, it
// is not UTF-8, or it has what other kinds of patterns have and this one has
// not.
func CheckPattern(pattern string) error {
	switch {
	case pattern == "":
		return errors.New(`is empty: write "*" for all`)
	case len(pattern) > maxPattern:
		return fmt.Errorf("has %d bytes, and %d is the most", len(pattern), maxPattern)
	case !utf8.ValidString(pattern):
		return errors.New("is not UTF-8")
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '\\':
			if i++; i == len(pattern) {
				return fmt.Errorf("is %q: there must be a character after the last \\", pattern)
			}
		case '[', '{':
			return fmt.Errorf("is %q: patterns have * and ? only; write \\%c for the character, or several patterns for several names", pattern, c)
		}
	}
	return nil
}
