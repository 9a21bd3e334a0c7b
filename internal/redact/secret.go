package redact

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// common are values of variables that are no secrets, whatever they are the
// values of: a text without them would be useless.
var common = []string{
	"admin123", "anonymous", "bearer", "changeme", "client", "console", "debugging", "default", "development", "disabled", "docker",
	"enabled", "example", "github", "gitlab", "google", "internal", "localhost", "master", "message", "notice", "openai", "optional",
	"passwd", "password", "postgres", "private", "production", "project", "public", "readonly", "release", "required", "secret", "server",
	"staging", "standard", "string", "testing", "undefined", "unknown", "username", "verbose", "warning",
}

// secretValues returns what is to be looked for where a secret is configured,
// or why it is not.
func secretValues(s string) (values []string, problem string) {
	s = strings.TrimSpace(s)
	if problem := unfit(s); problem != "" {
		return nil, problem
	}
	values = append(values, s)
	add := func(s string) {
		if s = strings.TrimSpace(s); unfit(s) == "" && !slices.Contains(values, s) {
			values = append(values, s)
		}
	}
	addBasic := func(s string) {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if plain, err := enc.DecodeString(s); err == nil {
				if _, password, ok := strings.Cut(string(plain), ":"); ok {
					add(password)
				}
			}
		}
	}
	if scheme, rest, ok := strings.Cut(s, " "); ok {
		switch strings.ToLower(scheme) {
		case "bearer", "token":
			add(rest)
		case "basic":
			add(rest)
			addBasic(strings.TrimSpace(rest))
		}
	}
	if u, err := url.Parse(s); err == nil && u.User != nil {
		if password, ok := u.User.Password(); ok && password != "" {
			add(password)
			if _, raw, ok := strings.Cut(u.User.String(), ":"); ok {
				add(raw)
			}
		} else {
			add(u.User.Username()) // a token, as in https://TOKEN@host
		}
	}
	if strings.Contains(s, "\n") {
		for line := range strings.Lines(s) {
			line = strings.TrimSpace(line)
			if len(line) >= 32 && strings.IndexFunc(line, func(r rune) bool { return r >= 0x80 || !is(byte(r), charsets[setBase64]) }) < 0 {
				add(line)
			}
		}
	}
	return values, ""
}

// unfit says why a value is not looked for, or "".
func unfit(s string) string {
	switch {
	case len(s) < MinSecret:
		return fmt.Sprintf("has %d bytes: what is shorter than %d occurs in texts by chance", len(s), MinSecret)
	case slices.Contains(common, strings.ToLower(s)):
		return "is a common word"
	case strings.Trim(s, s[:1]) == "":
		return "is one character many times"
	case len(s) < 8 && strings.Trim(s, "0123456789") == "":
		return "is a number of less than 8 digits, which occurs by chance"
	case isHostPath(s):
		return "is a path"
	}
	if u, err := url.Parse(s); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == "" {
		return "is the address of a server, without credentials"
	}
	for _, mark := range []string{markSecret, markPattern, markPath, markAddress, markHost, markTrace} {
		if strings.Contains(mark, strings.ToLower(s)) {
			return "is part of the marks that are put in place of secrets"
		}
	}
	return ""
}

// secret is one value to look for.
type secret struct {
	value string
	// odd says that it has a character that JSON has to escape, and wide that it
	// has one that JSON may escape for being beyond ASCII.
	odd, wide bool
}

func newSecret(value string) secret {
	s := secret{value: value}
	for _, c := range []byte(value) {
		s.odd = s.odd || c < 0x20 || c == '"' || c == '\\'
		s.wide = s.wide || c >= 0x7f
	}
	return s
}

// finders returns one for each form that the secret may have.
func (s secret) finders() []finder {
	fs := []finder{plainFinder(s.value)}
	if strings.Contains(s.value, " ") {
		fs = append(fs, plainFinder(strings.ReplaceAll(s.value, " ", "+"))) // as in a form
	}
	digits := hex.EncodeToString([]byte(s.value))
	fs = append(fs, plainFinder(digits))
	for _, separator := range []string{" ", ":"} {
		var b strings.Builder
		for i := 0; i < len(digits); i += 2 {
			if i > 0 {
				b.WriteString(separator)
			}
			b.WriteString(digits[i : i+2])
		}
		fs = append(fs, plainFinder(b.String()))
	}
	for before := range 3 {
		std, first := base64Core(base64.RawStdEncoding, before, s.value)
		fs = append(fs, base64Finder(std, first))
		if safe, _ := base64Core(base64.RawURLEncoding, before, s.value); safe != std {
			fs = append(fs, base64Finder(safe, first))
		}
	}
	return fs
}

// plainFinder finds what is as it is, in any case.
func plainFinder(lit string) finder {
	return finder{literal: lit, find: func(t *subject, i, offset int) (edit, bool) {
		at := i - offset
		if !hasLiteral(t.s, at, lit) {
			return edit{}, false
		}
		return edit{at, at + len(lit), markSecret, rankSecret}, true
	}}
}

// base64Core returns those characters of the base64 of a text that depend on
// nothing but s, where s begins behind before, or before+3, or ..., others, and
// whether one in front of them depends on s in part.
func base64Core(enc *base64.Encoding, before int, s string) (core string, partly bool) {
	all := enc.EncodeToString([]byte(strings.Repeat("\x00", before) + s))
	bits := 8 * before
	return all[(bits+5)/6 : (bits+8*len(s))/6], bits%6 != 0
}

// base64Finder finds base64, also where it is wrapped. partly says that the
// character in front of it has bits of the secret.
func base64Finder(core string, partly bool) finder {
	f := finder{literal: core}
	if n := min(len(core), 48); n >= 2*gram {
		// Two places that are less than a line apart: the end of a line may be in
		// one of them, but not in both.
		f.more = []int{rarest(core[:n/2]), n/2 + rarest(core[n/2:n])}
	}
	f.find = func(t *subject, i, offset int) (edit, bool) {
		s, from, to := t.s, i, i
		for o := offset; o < len(core); o++ {
			if o > offset {
				to = skipBreak(s, to)
			}
			if to >= len(s) || s[to] != core[o] {
				return edit{}, false
			}
			to++
		}
		for o := offset - 1; o >= 0; o-- {
			from = skipBreakBack(s, from) - 1
			if from < 0 || s[from] != core[o] {
				return edit{}, false
			}
		}
		if j := skipBreakBack(s, from); partly && j > 0 && is(s[j-1], charsets[setBase64]) {
			from = j - 1
		}
		// The next character has bits of the secret, or of what follows it, and
		// the rest may be padding.
		if j := skipBreak(s, to); j < len(s) && is(s[j], charsets[setBase64]) {
			to = j + 1
		}
		for to < len(s) && s[to] == '=' {
			to++
		}
		return edit{from, to, markSecret, rankSecret}, true
	}
	return f
}
