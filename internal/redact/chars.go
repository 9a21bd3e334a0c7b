package redact

// charset is a set of ASCII characters that tokens of some sort consist of.
type charset uint8

const (
	setWord   charset = iota // letters, digits, _
	setDash                  // and -
	setDots                  // and .
	setBase64                // letters, digits, + / - _ =
	setToken                 // what RFC 6750 allows: letters, digits, - . _ ~ + / =
	setHex
	setUpper // capitals and digits
	numCharsets
)

const (
	isLower = 1 << iota
	isUpper
	isDigit
	isHexLetter
	isUnderscore
	isDash
	isDot
	isPlusSlash
	isEquals
	isTilde

	isLetter = isLower | isUpper
	isAlnum  = isLetter | isDigit
	isWord   = isAlnum | isUnderscore
)

// class has the bits of each byte, charsets those of each set.
var (
	class    = classes()
	charsets = [numCharsets]uint16{
		setWord:   isWord,
		setDash:   isWord | isDash,
		setDots:   isWord | isDash | isDot,
		setBase64: isWord | isDash | isPlusSlash | isEquals,
		setToken:  isWord | isDash | isDot | isPlusSlash | isEquals | isTilde,
		setHex:    isDigit | isHexLetter,
		setUpper:  isUpper | isDigit,
	}
)

func classes() (t [256]uint16) {
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= isLower
		t[c-'a'+'A'] |= isUpper
	}
	for c := 'a'; c <= 'f'; c++ {
		t[c] |= isHexLetter
		t[c-'a'+'A'] |= isHexLetter
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= isDigit
	}
	t['_'], t['-'], t['.'], t['+'], t['/'], t['='], t['~'] = isUnderscore, isDash, isDot, isPlusSlash, isPlusSlash, isEquals, isTilde
	return t
}

func is(c byte, bits uint16) bool { return class[c]&bits != 0 }

// run is a longest run of characters of one set in a text.
type run struct {
	from, to int
	// digit and letter are where the last ones are.
	digit, letter int
}

// run returns the end of the run of characters of a set that begins at from
// or goes through it, and whether there are both a digit and a letter in what
// is left of it. It remembers the last run, so that a text in which every
// position begins a token is read once.
func (t *subject) run(set charset, from int) (to int, mixed bool) {
	r := &t.runs[set]
	if from < r.from || from >= r.to {
		*r = run{from: from, digit: -1, letter: -1}
		i := from
		for bits := charsets[set]; i < len(t.s) && is(t.s[i], bits); i++ {
			switch {
			case is(t.s[i], isDigit):
				r.digit = i
			case is(t.s[i], isLetter):
				r.letter = i
			}
		}
		r.to = i
	}
	if from >= r.to {
		return from, false
	}
	return r.to, r.digit >= from && r.letter >= from
}

// starts reports whether a word can begin at s[i]: what is in front of it is
// no character of the bits, or belongs to an escape such as \n or \u00e9. It
// must say the same of a JSON text and of the strings in it.
func starts(s string, i int, bits uint16) bool {
	return i == 0 || !is(s[i-1], bits) || escapeEnds(s, i)
}

// escapeEnds reports whether a backslash escape ends before s[i].
func escapeEnds(s string, i int) bool {
	return i >= 2 && s[i-2] == '\\' || i >= 6 && s[i-6] == '\\' && s[i-5] == 'u' &&
		is(s[i-1], charsets[setHex]) && is(s[i-2], charsets[setHex]) && is(s[i-3], charsets[setHex]) && is(s[i-4], charsets[setHex])
}

// skipBreak returns the position behind line breaks at s[i], as they are or
// escaped any number of times.
func skipBreak(s string, i int) int {
	for i < len(s) {
		j := i
		for j < len(s) && s[j] == '\\' {
			j++
		}
		switch {
		case j == len(s):
			return i
		case j == i && (s[j] == '\n' || s[j] == '\r'), j > i && (s[j] == 'n' || s[j] == 'r'):
			i = j + 1
		default:
			return i
		}
	}
	return i
}

// skipBreakBack returns the position where line breaks before s[i] begin.
func skipBreakBack(s string, i int) int {
	for i > 0 {
		switch {
		case s[i-1] == '\n' || s[i-1] == '\r':
			i--
		case i > 1 && s[i-2] == '\\' && (s[i-1] == 'n' || s[i-1] == 'r'):
			for i--; i > 0 && s[i-1] == '\\'; i-- {
			}
		default:
			return i
		}
	}
	return i
}
