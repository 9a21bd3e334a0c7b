package dispatch

import (
	"slices"
	"strings"
	"unicode"
)

const (
	// maxNearest is how many names nearest returns.
	maxNearest = 3
	// maxCompared is how many characters of a name are compared.
	maxCompared = 64
)

// nearest returns the candidates that somebody who wrote name may have meant,
// the likeliest first, at most maxNearest, and none rather than a wild guess.
// Names that differ only in case and punctuation come first, then those of the
// same words in another order, then those within a few slips of the keyboard,
// then those that share most of their words.
func nearest(name string, candidates []string) []string {
	type scored struct {
		name  string
		score int // less is nearer
	}
	var (
		wantTokens = tokens(name)
		want       = []rune(strings.Join(wantTokens, ""))
		hits       []scored
	)
	if len(want) == 0 {
		return nil
	}
	if len(want) > maxCompared {
		want = want[:maxCompared]
	}
	allowed := (len(want) + 2) / 3 // slips: one in three characters
	sorted := slices.Sorted(slices.Values(wantTokens))
	for _, c := range candidates {
		if c == name {
			continue // it was not meant: it is what was not found
		}
		haveTokens := tokens(c)
		have := []rune(strings.Join(haveTokens, ""))
		if len(have) == 0 {
			continue
		}
		if len(have) > maxCompared {
			have = have[:maxCompared]
		}
		switch {
		case slices.Equal(want, have):
			hits = append(hits, scored{c, 0})
			continue
		case slices.Equal(sorted, slices.Sorted(slices.Values(haveTokens))):
			hits = append(hits, scored{c, 1})
			continue
		}
		if diff := len(want) - len(have); max(diff, -diff) <= allowed {
			if n := distance(want, have); n <= allowed {
				hits = append(hits, scored{c, 1 + n})
				continue
			}
		}
		if shared := sharedTokens(wantTokens, haveTokens); 2*shared >= max(len(wantTokens), len(haveTokens)) && shared > 0 {
			hits = append(hits, scored{c, 100 - shared})
		}
	}
	slices.SortStableFunc(hits, func(a, b scored) int { return a.score - b.score })
	var out []string
	for _, h := range hits {
		// Beside a sure guess others are noise, and so is one by shared words
		// beside one by spelling.
		best := hits[0].score
		if len(out) == maxNearest || best <= 1 && h.score > 1 || best <= 50 && h.score > 50 {
			break
		}
		out = append(out, h.name)
	}
	return out
}

// tokens returns the words of a name in lower case: split at punctuation, and
// where a capital begins in camelCase.
func tokens(name string) []string {
	var (
		out  []string
		word []rune
		prev rune
	)
	flush := func() {
		if len(word) > 0 {
			out = append(out, string(word))
			word = nil
		}
	}
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
		case unicode.IsUpper(r) && (unicode.IsLower(prev) || unicode.IsDigit(prev)):
			flush()
			word = append(word, unicode.ToLower(r))
		default:
			word = append(word, unicode.ToLower(r))
		}
		prev = r
	}
	flush()
	return out
}

// sharedTokens counts the words that both have; a plural is the same word.
func sharedTokens(a, b []string) int {
	n := 0
	for _, x := range a {
		if slices.ContainsFunc(b, func(y string) bool { return singular(x) == singular(y) }) {
			n++
		}
	}
	return n
}

func singular(word string) string {
	if len(word) > 3 {
		return strings.TrimSuffix(word, "s")
	}
	return word
}

// distance is the number of single-character slips between a and b: one left
// out, one too many, one wrong, or two neighbours swapped.
func distance(a, b []rune) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
