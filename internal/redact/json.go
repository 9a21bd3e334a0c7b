package redact

import "strings"

// jsonEdits returns what is to be changed in a JSON text, in order and apart.
// Of what is no JSON it makes what it can: from one quote to the next is a
// string.
func (p *profile) jsonEdits(s string) []edit {
	var edits []edit
	for at := 0; at < len(s); {
		quote := strings.IndexByte(s[at:], '"')
		if quote < 0 {
			return p.numbers(s, at, len(s), edits)
		}
		quote += at
		edits = p.numbers(s, at, quote, edits)
		begin := quote + 1
		end, escaped := stringEnd(s, begin)
		content := s[begin:end]
		var found []edit
		if escaped {
			view, changed := decode(content, jsonEscape)
			if found = p.edits(view); changed {
				found = translate(content, jsonEscape, found)
			}
		} else {
			found = p.edits(content)
		}
		for _, e := range found {
			e.from, e.to = e.from+begin, e.to+begin
			edits = append(edits, e)
		}
		at = end + 1
	}
	return edits
}

// stringEnd returns where the string that begins at s[i] ends, and whether it
// has a backslash.
func stringEnd(s string, i int) (end int, escaped bool) {
	for at := i; ; {
		end = strings.IndexByte(s[at:], '"')
		if end < 0 {
			end = len(s) - at
		}
		end += at
		for at <= end {
			slash := strings.IndexByte(s[at:end], '\\')
			if slash < 0 {
				return end, escaped
			}
			escaped = true
			at += slash + 2 // behind the escape, which may be of the quote
		}
		if at >= len(s) {
			return len(s), true
		}
	}
}

// numbers makes strings of the numbers in s[from:to] that are secrets.
func (p *profile) numbers(s string, from, to int, edits []edit) []edit {
	if !p.hasSecrets || to-from < MinSecret {
		return edits
	}
	for at := from; at < to; at++ {
		if !isNumber(s[at]) {
			continue
		}
		begin := at
		for at < to && isNumber(s[at]) {
			at++
		}
		if at-begin < MinSecret {
			continue
		}
		for _, e := range p.find(s[begin:at]) {
			if e.rank >= rankPattern {
				edits = append(edits, edit{begin, at, `"` + e.mark + `"`, e.rank})
				break
			}
		}
	}
	return edits
}

func isNumber(c byte) bool { return is(c, isDigit) || isAny(c, "+-.eE") }
