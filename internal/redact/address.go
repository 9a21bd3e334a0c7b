package redact

import (
	"net/netip"
	"strings"
)

// privateNames are the ends of names that only private networks have.
var privateNames = []string{".internal", ".local", ".lan", ".corp", ".intranet", ".localdomain", ".home.arpa"}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

func private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLinkLocalUnicast() || carrierNAT.Contains(a)
}

func hostFinders() []finder {
	var fs []finder
	for _, end := range privateNames {
		fs = append(fs, finder{literal: end, find: func(t *subject, i, offset int) (edit, bool) { return privateHost(t.s, i-offset, end) }})
	}
	return fs
}

// privateHost finds a name by its end.
func privateHost(s string, at int, end string) (edit, bool) {
	if !hasLiteral(s, at, end) {
		return edit{}, false
	}
	to := at + len(end)
	if to < len(s) && (is(s[to], isWord|isDash) || s[to] == '(' || s[to] == '.' && to+1 < len(s) && is(s[to+1], isWord)) {
		return edit{}, false
	}
	from := at
	for from > 0 && at-from < 253 && is(s[from-1], charsets[setDots]) {
		from--
	}
	// An escape in front of it is none of its letters.
	if from > 0 && s[from-1] == '\\' && from < at {
		from++
	}
	// .env.local is a file.
	if from == at || !is(s[from], isAlnum) {
		return edit{}, false
	}
	return edit{from, to, markHost, rankAddress}, true
}

// addresses adds private IP addresses.
func addresses(s string, edits []edit) []edit {
	for i := 0; i < len(s); i++ {
		if !is(s[i], isDigit|isHexLetter) {
			continue
		}
		// A run of what IP addresses are written with.
		from := i
		colons, dots := 0, 0
		for ; i < len(s); i++ {
			if s[i] == ':' {
				colons++
			} else if s[i] == '.' {
				dots++
			} else if !is(s[i], charsets[setHex]) {
				break
			}
		}
		if colons < 2 && dots < 3 || from > 0 && (is(s[from-1], isWord) && !escapeEnds(s, from)) {
			continue
		}
		edits = runAddresses(s, from, i, colons, edits)
	}
	return edits
}

// runAddresses looks for addresses in s[from:to], in which other things may
// stand too: a port, a full stop, a time.
func runAddresses(s string, from, to, colons int, edits []edit) []edit {
	text := strings.TrimRight(s[from:to], ".:")
	if colons >= 2 {
		if a, err := netip.ParseAddr(text); err == nil {
			if private(a) && (from+len(text) == len(s) || !is(s[from+len(text)], isWord)) {
				edits = append(edits, edit{from, from + len(text), markAddress, rankAddress})
			}
			return edits
		}
	}
	for begin := 0; begin < len(text); {
		part := text[begin:]
		if n := strings.IndexByte(part, ':'); n >= 0 {
			part = part[:n]
		}
		part = strings.TrimRight(part, ".")
		end := from + begin + len(part)
		if a, err := netip.ParseAddr(part); err == nil && private(a) && (end == len(s) || !is(s[end], isWord)) {
			edits = append(edits, edit{from + begin, end, markAddress, rankAddress})
		}
		begin += len(part) + 1
		for begin < len(text) && (text[begin] == ':' || text[begin] == '.') {
			begin++
		}
	}
	return edits
}
