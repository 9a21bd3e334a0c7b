package catalog

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes a server's text fit for a model to read. What a reader would see
// survives; what he would not see, or what is no text but markup for a machine,
// does not:
//
//   - Control characters and terminal escape sequences are removed. Line ends of
//     all kinds become \n, all kinds of spaces one space; runs are shortened.
//   - Invisible characters are removed: bidirectional overrides, zero-width
//     characters and joiners, tags, variation selectors, fillers, soft hyphens,
//     private-use characters. An emoji that was joined from several falls apart.
//     More than four combining marks on one letter are cut.
//   - Tags of HTML, XML and chat templates (<system>, </tool>, <|im_start|>) keep
//     their words in other brackets: ‹system›. So do <placeholders> and
//     Array<generics>; "a < b", "->" and "=>" stay. [INST] and its like become
//     (INST), "System:" at the start of a line becomes "System" in quotes, fences
//     of ``` become ”', and ![ becomes ! [.
//   - What is longer than max characters is cut at a word, with "…".
//
// It does not judge prose: "ignore previous instructions" is a sentence that a
// server wrote, and it stays readable as such. Clean(Clean(s)) is Clean(s).
func Clean(s string, max int) string {
	s = cutBytes(s, 16*max+1024)
	s = plain(s)
	s = neutralise(s)
	s = squeeze(s)
	return cut(s, max)
}

// OneLine is Clean, with all white space as single spaces.
func OneLine(s string, max int) string {
	s = Clean(s, 4*max)
	return cut(strings.Join(strings.Fields(s), " "), max)
}

// cutBytes bounds the work on a text before anything looks at it.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cut shortens s to max characters, the … included.
func cut(s string, max int) string {
	if len(s) <= max || utf8.RuneCountInString(s) <= max {
		return s
	}
	n, end := 0, 0
	for i := range s {
		if n == max-1 {
			end = i
			break
		}
		n++
	}
	head := s[:end]
	if i := strings.LastIndexAny(head, " \n"); i > 0 && i >= len(head)*3/4 {
		head = head[:i]
	}
	return strings.TrimRight(head, " \n,;:.…<") + "…"
}

// plain leaves what is visible, \n and the space.
func plain(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	marks := 0
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f {
			marks = 0
			b.WriteByte(c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0x1b || r == 0x9b || r == 0x9d || r == 0x90 {
			i += n + escapeLength(s[i+n:], r)
			continue
		}
		i += n
		switch {
		case r == '\r':
			if i < len(s) && s[i] == '\n' {
				continue
			}
			r = '\n'
		case r == '\n' || r == '\v' || r == '\f' || r == 0x85 || r == 0x2028 || r == 0x2029:
			r = '\n'
		case r == '\t' || unicode.Is(unicode.Zs, r) || r == 0x2800 || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0:
			r = ' '
		case invisible(r):
			continue
		case unicode.Is(unicode.M, r):
			if marks++; marks > 4 {
				continue
			}
			b.WriteRune(r)
			continue
		}
		marks = 0
		b.WriteRune(r)
	}
	return b.String()
}

// escapeLength returns how long the rest of a terminal's escape sequence is
// after its first character.
func escapeLength(s string, first rune) int {
	kind, n := first, 0
	if first == 0x1b {
		if s == "" {
			return 0
		}
		n = 1
		switch s[0] {
		case '[':
			kind = 0x9b
		case ']':
			kind = 0x9d
		case 'P', '^', '_', 'X':
			kind = 0x90
		default:
			// Two characters, or three for the choice of a character set. What
			// is no ASCII is text after a lone escape.
			if s[0] >= 0x20 && s[0] <= 0x2f && len(s) > 1 && s[1] < utf8.RuneSelf {
				return 2
			}
			if s[0] < 0x20 || s[0] >= utf8.RuneSelf {
				return 0
			}
			return 1
		}
	}
	if kind == 0x9b { // parameters, intermediates, one final
		for n < len(s) && s[n] >= 0x20 && s[n] <= 0x3f {
			n++
		}
		if n < len(s) && s[n] >= 0x40 && s[n] <= 0x7e {
			n++
		}
		return n
	}
	// A string for the terminal ends with BEL or ST. One that does not end
	// within a line is not one, and its text is kept.
	end := strings.IndexAny(s[n:], "\a\x1b\u009c\n")
	if end < 0 || s[n+end] == '\n' || end > 1000 {
		return n
	}
	switch n += end; s[n] {
	case '\a':
		return n + 1
	case 0x1b:
		if n+1 < len(s) && s[n+1] == '\\' {
			return n + 2
		}
		return n
	default:
		return n + utf8.RuneLen(0x9c)
	}
}

// invisible reports whether r has no look of its own: it could carry what a
// person does not see and a model reads.
func invisible(r rune) bool {
	switch {
	case r < 0x20 || r >= 0x7f && r < 0xa0: // controls; \n is not asked for
		return r != '\n'
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0x180b && r <= 0x180f: // variation selectors
		return true
	case r >= 0xe0000: // tags, more variation selectors, private use, and nothing else
		return true
	case r == 0x034f || r == 0x17b4 || r == 0x17b5: // joiner and inherent vowels without a look
		return true
	case r >= 0xfff0 && r <= 0xfff8: // ignorable by default
		return true
	case r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef: // no characters
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs)
}

var (
	instMarker  = regexp.MustCompile(`(?i)\[(/?(?:inst|sys|system|assistant|user|human|developer|tool_calls?|tool_results?|available_tools|end|eos|bos))\]`)
	rolePrefix  = regexp.MustCompile(`(?im)^([ \t>#*_-]*)(system|assistant|user|human|developer|tool)([ \t*_]*)[:：]`)
	spacedTag   = regexp.MustCompile(`(?i)<\s+(/?\s*(?:system|assistant|user|human|developer|tool|instructions?|prompt|important|function)[^<>\n]*)>`)
	angleTwins  = strings.NewReplacer("＜", "<", "﹤", "<", "＞", ">", "﹥", ">")
	otherMarkup = strings.NewReplacer("```", "'''", "![", "! [")
)

// neutralise takes the power from markup and leaves its words.
func neutralise(s string) string {
	s = spacedTag.ReplaceAllString(angleTwins.Replace(s), "‹$1›")
	s = angles(s)
	s = instMarker.ReplaceAllString(s, "($1)")
	s = rolePrefix.ReplaceAllString(s, `$1"$2"$3`)
	return otherMarkup.Replace(s)
}

// taggy reports whether what follows a < makes it look like a tag.
func taggy(after string) bool {
	if after == "" || strings.HasPrefix(after, "›") { // <> after the first change
		return false
	}
	c := after[0]
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf || strings.IndexByte("/!?|<_", c) >= 0
}

// angles changes the brackets of what looks like a tag, whether it ends or not.
func angles(s string) string {
	if !strings.ContainsRune(s, '<') {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	open := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '<':
			if taggy(s[i+1:]) {
				open++
				b.WriteString("‹")
				continue
			}
			b.WriteByte(c)
		case '>':
			arrow := i > 0 && (s[i-1] == '=' || s[i-1] == '-' && !strings.HasSuffix(s[:i], "--"))
			if open > 0 && !arrow {
				open--
				b.WriteString("›")
				continue
			}
			b.WriteByte(c)
		case '\n':
			open = 0
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// squeeze shortens runs of spaces and of empty lines.
func squeeze(s string) string {
	lines := strings.Split(s, "\n")
	kept := lines[:0]
	for _, line := range lines {
		line = strings.TrimRight(line, " ")
		body := strings.TrimLeft(line, " ")
		indent := min(len(line)-len(body), 4)
		if body == "" {
			if len(kept) == 0 || kept[len(kept)-1] == "" {
				continue
			}
		}
		if strings.Contains(body, "  ") {
			body = strings.Join(strings.Fields(body), " ")
		}
		kept = append(kept, strings.Repeat(" ", indent)+body)
	}
	return strings.TrimSpace(strings.Join(kept, "\n"))
}

// firstSentence is the start of a cleaned text that is enough to choose a tool
// by.
func firstSentence(s string, max int) string {
	// A heading is no sentence, unless there is nothing else.
	body := s
	for strings.HasPrefix(body, "#") {
		_, rest, _ := strings.Cut(body, "\n")
		if body = strings.TrimLeft(rest, "\n"); body == "" {
			body = strings.TrimLeft(s, "# ")
		}
	}
	paragraph, _, _ := strings.Cut(body, "\n\n")
	line := strings.Join(strings.Fields(paragraph), " ")
	for i := 0; i < len(line); i++ {
		if (line[i] == '.' || line[i] == '!' || line[i] == '?') && i >= 20 && i+1 < len(line) && line[i+1] == ' ' && !abbreviation(line[:i]) {
			line = line[:i+1]
			break
		}
	}
	return cut(line, max)
}

// abbreviation reports whether a point after s ends no sentence: "e.g", "i.e",
// "etc", or a single letter or number.
func abbreviation(s string) bool {
	word := s[strings.LastIndexAny(s, " (")+1:]
	switch word {
	case "etc", "vs", "No", "no", "approx", "incl", "cf":
		return true
	}
	return len(word) <= 1 || strings.Contains(word, ".") && len(word) <= 3
}
