package catalog

import (
	"strings"
	"unicode"
)

// words splits s into lower-case words: at everything that is no letter and no
// digit, where the case changes (createIssue, HTTPServer), and between letters
// and digits. Scripts that do not write spaces are split into characters.
func words(s string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	previous := rune(0)
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
			flush()
			word = append(word, r)
			flush()
		case r == '\'' || r == '’': // don't, server's
			if len(word) > 0 && i+1 < len(runes) && unicode.IsLetter(runes[i+1]) {
				if unicode.ToLower(runes[i+1]) == 's' && (i+2 == len(runes) || !unicode.IsLetter(runes[i+2])) {
					runes[i+1] = ' ' // the s of a genitive
				}
				continue
			}
			flush()
		case unicode.IsDigit(r):
			if !unicode.IsDigit(previous) {
				flush()
			}
			word = append(word, r)
		case unicode.IsLetter(r) || unicode.IsMark(r):
			upper := unicode.IsUpper(r)
			if unicode.IsDigit(previous) || upper && unicode.IsLower(previous) ||
				upper && unicode.IsUpper(previous) && i+1 < len(runes) && unicode.IsLower(runes[i+1]) && !pluralOfCapitals(runes[i:]) {
				flush()
			}
			word = append(word, r)
		default:
			flush()
		}
		previous = r
	}
	flush()
	return out
}

// pluralOfCapitals reports whether a lower-case s alone follows: URLs is one
// word.
func pluralOfCapitals(after []rune) bool {
	return len(after) >= 2 && after[1] == 's' && (len(after) == 2 || !unicode.IsLower(after[2]))
}

// stem brings the forms of an English word together: plurals, -ing, -ed, a
// final e and doubled consonants. It is applied to both sides, so that it need
// not give words, only the same for the same.
func stem(w string) string {
	n := len(w)
	if n < 3 || w[n-1] >= 0x80 {
		return w
	}
	if n == 3 {
		return single(w)
	}
	switch {
	case strings.HasSuffix(w, "ies") && n > 4:
		w = w[:n-3] + "y"
	case strings.HasSuffix(w, "sses"), strings.HasSuffix(w, "xes"), strings.HasSuffix(w, "ches"), strings.HasSuffix(w, "shes"):
		w = w[:n-2]
	case strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && !strings.HasSuffix(w, "is"):
		w = w[:n-1]
	}
	if n = len(w); n > 5 && strings.HasSuffix(w, "ing") && hasVowel(w[:n-3]) {
		w = w[:n-3]
	} else if n > 4 && strings.HasSuffix(w, "ied") {
		w = w[:n-3] + "y"
	} else if n > 4 && strings.HasSuffix(w, "ed") && hasVowel(w[:n-2]) {
		w = w[:n-2]
	}
	if n = len(w); n > 3 && w[n-1] == 'e' {
		w = w[:n-1]
	}
	return single(w)
}

// single returns w without the doubling of its last letter: add, adding.
func single(w string) string {
	if n := len(w); n > 2 && w[n-1] == w[n-2] && w[n-1] >= 'a' && w[n-1] <= 'z' {
		return w[:n-1]
	}
	return w
}

func hasVowel(s string) bool { return strings.ContainsAny(s, "aeiouy") }

// stopWord reports whether w says nothing about what is looked for.
func stopWord(w string) bool {
	switch w {
	case "a", "an", "the", "of", "to", "in", "into", "for", "with", "and", "or", "is", "are", "be", "was", "by", "on", "at",
		"from", "that", "this", "these", "those", "it", "its", "as", "my", "me", "i", "we", "our", "you", "your", "please", "can", "could", "how",
		"do", "does", "what", "which", "who", "when", "where", "there", "some", "any", "will", "would", "should", "want", "need",
		"about", "via", "using", "if", "then", "so", "have", "has", "am", "not", "use", "used", "tool", "tools":
		return true
	}
	return false
}

// stems returns the stems of a text without its stop words, of all its words
// where nothing else is left. At most max.
func stems(s string, max int) []string {
	all := words(s)
	out := make([]string, 0, min(len(all), max))
	for _, w := range all {
		if len(out) == max {
			break
		}
		if !stopWord(w) {
			out = append(out, stem(w))
		}
	}
	if len(out) == 0 {
		for _, w := range all[:min(len(all), max)] {
			out = append(out, stem(w))
		}
	}
	return out
}
