package redact

import (
	"math/bits"
	"regexp"
)

// gram is how many bytes the filter looks at together.
const gram = 4

// A finder is asked where its literal may begin. Upper and lower case are the
// same in literals.
type finder struct {
	literal string
	// more are further places of the literal, as offsets, at which the filter
	// shall look: for texts in which something may stand in the middle of it.
	more []int
	// Exactly one of the two is set. find says what is to be changed where the
	// four bytes of the literal from offset on are, by their hash and in any case,
	// at t.s[i]. Nothing else has been compared, and i-offset may be negative.
	find    func(t *subject, i, offset int) (edit, bool)
	pattern *regexp.Regexp
}

// subject is a text under search.
type subject struct {
	s    string
	runs [numCharsets]run
	// value and line are the last value of a name, and the last rest of a line,
	// so that each is read once.
	value, line span
}

type span struct{ from, to int }

// filter finds in one pass where one of many literals may be.
//
// Of each literal it takes the four bytes that are least likely in texts. A
// bitmap of hashes of those answers for each position of a text whether
// something may be there; the answer is nearly always no, the look-ups do not
// depend on each other, and the bitmap stays in the first cache. An automaton
// of Aho and Corasick needs one dependent look-up a byte, and memory for each
// byte of each form of each secret.
type filter struct {
	bitmap  []uint32
	shift   uint
	anchors map[uint32][]anchor
	finders []finder
}

type anchor struct {
	finder int
	offset int // of the four bytes in the literal
}

func newFilter(finders []finder) *filter {
	f := &filter{anchors: map[uint32][]anchor{}, finders: finders}
	for i := range finders {
		lit := finders[i].literal
		if len(lit) == gram-1 {
			// What follows is a character of a token.
			for c := range 256 {
				if class[c]&(charsets[setToken]) != 0 && byte(c)|0x20 == byte(c) || c == '_' {
					f.add(fold(lit[0], lit[1], lit[2], byte(c)), anchor{i, 0})
				}
			}
			continue
		}
		f.add(gramAt(lit, rarest(lit)), anchor{i, rarest(lit)})
		for _, at := range finders[i].more {
			f.add(gramAt(lit, at), anchor{i, at})
		}
	}
	// One bit in a hundred at most, so that the bitmap nearly always says no.
	size := max(16, min(22, bits.Len(uint(len(f.anchors)*100))))
	f.shift = 32 - uint(size)
	f.bitmap = make([]uint32, 1<<(size-5))
	for w := range f.anchors {
		h := w * hashFactor >> f.shift
		f.bitmap[h>>5] |= 1 << (h & 31)
	}
	return f
}

func (f *filter) add(w uint32, a anchor) {
	for _, have := range f.anchors[w] {
		if have == a {
			return
		}
	}
	f.anchors[w] = append(f.anchors[w], a)
}

const (
	hashFactor = 0x9E3779B1
	// foldBits make a letter lower case. They make some other characters the
	// same too, which the finders sort out.
	foldBits = 0x20202020
)

func fold(a, b, c, d byte) uint32 {
	return (uint32(a) | uint32(b)<<8 | uint32(c)<<16 | uint32(d)<<24) | foldBits
}

func gramAt(s string, i int) uint32 { return fold(s[i], s[i+1], s[i+2], s[i+3]) }

// rarest returns where in a literal the four bytes are that are least likely
// in texts, among the first hundred.
func rarest(lit string) int {
	best, at := -1, 0
	for i := 0; i+gram <= min(len(lit), 100); i++ {
		score := 0
		for _, c := range []byte(lit[i : i+gram]) {
			score += rarity(c | 0x20)
		}
		if score > best {
			best, at = score, i
		}
	}
	return at
}

func rarity(c byte) int {
	switch c {
	case 'e', 't', 'a', 'o', 'i', 'n', 's', 'r', 'l', 'd', ' ':
		return 0
	case 'j', 'q', 'x', 'z', 'k', 'v', 'w', 0x7f: // 0x7f is the underscore
		return 3
	case '"' | 0x20, ':', ',', '.', '/':
		return 1
	}
	return 2
}

// next returns the first position at or after i at which the bitmap has
// something, or a negative number.
func (f *filter) next(s string, i int) int {
	bitmap, shift := f.bitmap, f.shift&31
	for ; i+8 <= len(s); i += 5 {
		// Five positions for one load.
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		w |= foldBits<<32 | foldBits
		h0 := uint32(w) * hashFactor >> shift
		h1 := uint32(w>>8) * hashFactor >> shift
		h2 := uint32(w>>16) * hashFactor >> shift
		h3 := uint32(w>>24) * hashFactor >> shift
		h4 := uint32(w>>32) * hashFactor >> shift
		b0 := bitmap[h0>>5] >> (h0 & 31) & 1
		b1 := bitmap[h1>>5] >> (h1 & 31) & 1
		b2 := bitmap[h2>>5] >> (h2 & 31) & 1
		b3 := bitmap[h3>>5] >> (h3 & 31) & 1
		b4 := bitmap[h4>>5] >> (h4 & 31) & 1
		if hit := b0 | b1<<1 | b2<<2 | b3<<3 | b4<<4; hit != 0 {
			return i + bits.TrailingZeros32(hit)
		}
	}
	for ; i+gram <= len(s); i++ {
		h := gramAt(s, i) * hashFactor >> shift
		if bitmap[h>>5]>>(h&31)&1 != 0 {
			return i
		}
	}
	return -1
}

// any reports whether there is something to change in s, or may be.
func (f *filter) any(s string) bool {
	var text *subject // taken when needed: it escapes
	for i := f.next(s, 0); i >= 0; i = f.next(s, i+1) {
		for _, a := range f.anchors[gramAt(s, i)] {
			fi := &f.finders[a.finder]
			if fi.pattern != nil {
				// It may look at what an escape hides.
				if hasLiteral(s, i-a.offset, fi.literal) {
					return true
				}
				continue
			}
			if text == nil {
				text = &subject{s: s}
			}
			if _, ok := fi.find(text, i, a.offset); ok {
				return true
			}
		}
	}
	return false
}

// all returns what is to be changed in s, in no order.
func (f *filter) all(s string) []edit {
	var edits []edit
	var ran []*regexp.Regexp
	var text *subject
	for i := f.next(s, 0); i >= 0; i = f.next(s, i+1) {
	anchors:
		for _, a := range f.anchors[gramAt(s, i)] {
			fi := &f.finders[a.finder]
			if fi.pattern == nil {
				if text == nil {
					text = &subject{s: s}
				}
				if e, ok := fi.find(text, i, a.offset); ok {
					edits = append(edits, e)
				}
				continue
			}
			for _, re := range ran {
				if re == fi.pattern {
					continue anchors
				}
			}
			if hasLiteral(s, i-a.offset, fi.literal) {
				ran = append(ran, fi.pattern)
				edits = patternEdits(edits, fi.pattern, s)
			}
		}
	}
	return edits
}

func patternEdits(edits []edit, re *regexp.Regexp, s string) []edit {
	for _, m := range re.FindAllStringIndex(s, -1) {
		if m[1] > m[0] {
			edits = append(edits, edit{m[0], m[1], markPattern, rankPattern})
		}
	}
	return edits
}

// hasLiteral reports whether lit is at s[at:], in any case.
func hasLiteral(s string, at int, lit string) bool {
	return at >= 0 && at+len(lit) <= len(s) && equalFold(s[at:at+len(lit)], lit)
}

// equalFold compares strings of the same length. Only ASCII letters have case.
func equalFold(a, b string) bool {
	if a == b {
		return true
	}
	for i := range len(a) {
		if x, y := a[i], b[i]; x != y && (lower(x) != lower(y)) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
