package redact

import (
	"html"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An escape reads the escape that begins at s[i], of n bytes, and puts what it
// means into buf, w bytes. Where none begins, n is zero.
type escape func(s string, i int, buf *[16]byte) (n, w int)

// introducers begin escapes of any kind.
const introducers = `\%&`

// decode returns what s means. changed says whether there was an escape.
func decode(s string, next escape) (view string, changed bool) {
	var buf [16]byte
	var b strings.Builder
	done := 0
	for at := 0; ; {
		n := strings.IndexAny(s[at:], introducers)
		if n < 0 {
			break
		}
		at += n
		n, w := next(s, at, &buf)
		if n == 0 {
			at++
			continue
		}
		if !changed {
			changed = true
			b.Grow(len(s))
		}
		b.WriteString(s[done:at])
		b.Write(buf[:w])
		at += n
		done = at
	}
	if !changed {
		return s, false
	}
	b.WriteString(s[done:])
	return b.String(), true
}

// translate returns edits of the view of s as edits of s. They must be in order
// and apart, and are changed in place. One that begins or ends in what a
// single escape stands for takes all of it.
func translate(s string, next escape, edits []edit) []edit {
	if len(edits) == 0 {
		return edits
	}
	var buf [16]byte
	ends := 2 * len(edits)
	// The k-th end is edits[k/2].from or .to.
	end := func(k int) *int {
		if e := &edits[k/2]; k%2 == 0 {
			return &e.from
		} else {
			return &e.to
		}
	}
	k, source, view := 0, 0, 0
	for k < ends {
		plain := strings.IndexAny(s[source:], introducers)
		n, w := 0, 0
		if plain < 0 {
			plain = len(s) - source
		} else if n, w = next(s, source+plain, &buf); n == 0 {
			plain++
		}
		for ; k < ends && *end(k) <= view+plain; k++ {
			*end(k) += source - view
		}
		source, view = source+plain, view+plain
		for ; k < ends && *end(k) < view+w; k++ {
			if *end(k) = source; k%2 == 1 {
				*end(k) += n
			}
		}
		source, view = source+n, view+w
		if plain+n == 0 {
			break // the end, and nothing may be left
		}
	}
	return merge(edits)
}

// jsonEscape reads the escapes of JSON strings.
func jsonEscape(s string, i int, buf *[16]byte) (n, w int) {
	if s[i] != '\\' || i+1 >= len(s) {
		return 0, 0
	}
	switch c := s[i+1]; c {
	case '"', '\\', '/':
		buf[0] = c
	case 'b':
		buf[0] = '\b'
	case 'f':
		buf[0] = '\f'
	case 'n':
		buf[0] = '\n'
	case 'r':
		buf[0] = '\r'
	case 't':
		buf[0] = '\t'
	case 'u':
		return utf16Escape(s, i, buf)
	default:
		return 0, 0
	}
	return 2, 1
}

// utf16Escape reads \uXXXX, or two of them that are a pair.
func utf16Escape(s string, i int, buf *[16]byte) (n, w int) {
	r, ok := hexValue(s, i+2, 4)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && strings.HasPrefix(s[i+6:], `\u`) {
		if low, ok := hexValue(s, i+8, 4); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return 12, utf8.EncodeRune(buf[:], pair)
			}
		}
	}
	return 6, utf8.EncodeRune(buf[:], r)
}

// looseEscape reads percent-encoding, HTML entities, and backslash escapes as
// they are in the string literals of most languages.
func looseEscape(s string, i int, buf *[16]byte) (n, w int) {
	if i+1 >= len(s) {
		return 0, 0
	}
	switch s[i] {
	case '%':
		if v, ok := hexValue(s, i+1, 2); ok {
			buf[0] = byte(v)
			return 3, 1
		}
		return 0, 0
	case '&':
		return entity(s, i, buf)
	}
	if n := backslashes(s, i); n >= 1<<maxLayers {
		// More than are peeled off by layers: only somebody who hides something
		// escapes so often, and all of it is one escape.
		if m, w := looseEscape(s[i+n-1:], 0, buf); m > 0 {
			return n - 1 + m, w
		}
	}
	switch c := s[i+1]; c {
	case '\'', '`', '$', '-', '_', '.', '+', '=', '@', ':':
		buf[0] = c
		return 2, 1
	case 'x':
		if v, ok := hexValue(s, i+2, 2); ok {
			buf[0] = byte(v)
			return 4, 1
		}
	case 'U':
		if v, ok := hexValue(s, i+2, 8); ok {
			return 10, utf8.EncodeRune(buf[:], v)
		}
	case 'u':
		if i+2 < len(s) && s[i+2] == '{' {
			for digits := 1; digits <= 6; digits++ {
				if v, ok := hexValue(s, i+3, digits); ok && i+3+digits < len(s) && s[i+3+digits] == '}' {
					return digits + 4, utf8.EncodeRune(buf[:], v)
				}
			}
		}
		return utf16Escape(s, i, buf)
	case '0', '1', '2', '3':
		if i+3 < len(s) && isAny(s[i+2], "01234567") && isAny(s[i+3], "01234567") {
			buf[0] = (c-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0')
			return 4, 1
		}
	default:
		return jsonEscape(s, i, buf)
	}
	return 0, 0
}

// backslashes counts those at s[i:], as many as matter.
func backslashes(s string, i int) int {
	n := 0
	for i+n < len(s) && s[i+n] == '\\' && n < 4096 {
		n++
	}
	return n
}

// maxEntity is the length of the longest entity that is read. Numbers may have
// zeros in front.
const maxEntity = 40

func entity(s string, i int, buf *[16]byte) (n, w int) {
	end := strings.IndexByte(s[i:min(len(s), i+maxEntity)], ';')
	if end < 2 {
		return 0, 0
	}
	text := s[i : i+end+1]
	plain := html.UnescapeString(text)
	if plain == text || len(plain) > len(buf) {
		return 0, 0
	}
	return len(text), copy(buf[:], plain)
}

// hexValue reads exactly n hexadecimal digits at s[i:].
func hexValue(s string, i, n int) (rune, bool) {
	if i+n > len(s) {
		return 0, false
	}
	var v rune
	for _, c := range []byte(s[i : i+n]) {
		switch {
		case is(c, isDigit):
			c -= '0'
		case is(c, isHexLetter):
			c = lower(c) - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}

// suspicious reports whether there are escapes in s that could hide something
// from the filter. What every JSON text has is not suspicious in data: \n and
// \" stand for what no secret and no shape has, or else profile.odd is set, and
// escapes of characters beyond ASCII matter where profile.wide is set.
func (p *profile) suspicious(s string) bool {
	for at := 0; ; {
		n := strings.IndexByte(s[at:], '\\')
		if n < 0 {
			break
		}
		at += n + 1
		if at == len(s) {
			break
		}
		if p.odd || p.message || isAny(s[at], "/'`$-_.+=@:x") {
			return true
		}
		switch s[at] {
		case 'u', 'U':
			if v, ok := hexValue(s, at+1, 4); p.wide || s[at] == 'U' || !ok || v < 0x80 {
				return true
			}
		case '0', '1', '2', '3':
			return true
		}
	}
	for at := 0; ; {
		n := strings.IndexByte(s[at:], '%')
		if n < 0 {
			break
		}
		at += n + 1
		if _, ok := hexValue(s, at, 2); ok {
			return true
		}
	}
	for at := 0; ; {
		n := strings.IndexByte(s[at:], '&')
		if n < 0 {
			return false
		}
		at += n + 1
		if end := strings.IndexByte(s[at:min(len(s), at+maxEntity)], ';'); end > 0 {
			return true
		}
	}
}
