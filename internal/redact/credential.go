package redact

import (
	"encoding/base64"
	"strings"
)

// credentialFinders returns those of credentials by their shape, and for
// messages also of those that a name gives away.
func credentialFinders(message bool) []finder {
	var fs []finder
	for _, sh := range shapes {
		fs = append(fs, sh.finder(true))
	}
	for _, sh := range links {
		fs = append(fs, sh.finder(false))
	}
	fs = append(fs,
		// What the base64 of {" and of { with white space begins with.
		finder{literal: "eyJ", find: jwt}, finder{literal: "ewog", find: jwt}, finder{literal: "eyAi", find: jwt},
		finder{literal: "/bot", find: telegram},
		finder{literal: "-----BEGIN ", find: privateKey},
		finder{literal: "bearer", find: scheme("bearer", message)},
		finder{literal: "basic", find: scheme("basic", message)},
		finder{literal: "authorization", find: header("authorization", message)},
	)
	for _, name := range []string{"AccountKey=", "SharedAccessKey=", "SharedSecretKey="} {
		fs = append(fs, finder{literal: name, find: assigned(name, 20)})
	}
	for _, name := range []string{
		"api_key=", "apikey=", "api-key=", "access_token=", "client_secret=", "refresh_token=", "id_token=", "private_token=", "auth_token=",
		"password=", "x-amz-security-token=",
	} {
		fs = append(fs, finder{literal: name, find: parameter(name)})
	}
	if message {
		fs = append(fs, nameFinders()...)
	}
	return fs
}

// jwt finds a JSON Web Token: two dots, and an object in front of the first.
func jwt(t *subject, i, offset int) (edit, bool) {
	at := i - offset
	if at < 0 || !starts(t.s, at, charsets[setDots]) {
		return edit{}, false
	}
	to, mixed := t.run(setDots, at)
	token := t.s[at:to]
	head, rest, ok := strings.Cut(token, ".")
	if !ok || !mixed || len(head) < 16 || len(rest) < 16 || strings.IndexByte(rest, '.') < 0 {
		return edit{}, false
	}
	start, err := base64.RawURLEncoding.DecodeString(head[:4])
	if err != nil || start[0] != '{' {
		return edit{}, false
	}
	// A sentence's full stop is not part of it.
	for to > at && t.s[to-1] == '.' {
		to--
	}
	return edit{at, to, redacted("JWT"), rankShape}, true
}

// telegram finds the token in an address of Telegram's API.
func telegram(t *subject, i, offset int) (edit, bool) {
	at := i - offset + len("/bot")
	if !hasLiteral(t.s, i-offset, "/bot") {
		return edit{}, false
	}
	colon := at
	for colon < len(t.s) && colon < at+12 && is(t.s[colon], isDigit) {
		colon++
	}
	if colon < at+6 || colon == len(t.s) || t.s[colon] != ':' {
		return edit{}, false
	}
	to, mixed := t.run(setDash, colon+1)
	if to-colon < 30 || !mixed {
		return edit{}, false
	}
	return edit{at, to, redacted("Telegram token"), rankShape}, true
}

// privateKey finds a key in PEM, whole or cut off.
func privateKey(t *subject, i, offset int) (edit, bool) {
	const begin, dashes = "-----BEGIN ", "-----"
	s, at := t.s, i-offset
	if !hasLiteral(s, at, begin) {
		return edit{}, false
	}
	to := at + len(begin)
	for to < len(s) && (is(s[to], isUpper|isDigit) || s[to] == ' ') {
		to++
	}
	if label := s[at+len(begin) : to]; !strings.HasSuffix(label, "PRIVATE KEY") && !strings.HasSuffix(label, "PRIVATE KEY BLOCK") || !strings.HasPrefix(s[to:], dashes) {
		return edit{}, false
	}
	// The body: base64, headers, and line breaks however they are escaped.
	for to += len(dashes); to < len(s) && !strings.HasPrefix(s[to:], dashes); to++ {
		if c := s[to]; !is(c, charsets[setBase64]) && c != '\n' && c != '\r' && c != ' ' && c != '\t' && c != '\\' && c != ':' && c != ',' && c != '.' {
			break
		}
	}
	if end := to + len("-----END "); strings.HasPrefix(s[to:], "-----END ") {
		for end < len(s) && (is(s[end], isUpper|isDigit) || s[end] == ' ') {
			end++
		}
		if strings.HasPrefix(s[end:], dashes) {
			to = end + len(dashes)
		}
	}
	return edit{at, to, redacted("private key"), rankShape}, true
}

// scheme finds what stands behind the name of a scheme of HTTP authentication.
func scheme(name string, message bool) func(*subject, int, int) (edit, bool) {
	least := 16
	if message {
		least = 8
	}
	return func(t *subject, i, offset int) (edit, bool) {
		at := i - offset
		if !hasLiteral(t.s, at, name) || !starts(t.s, at, isWord) {
			return edit{}, false
		}
		from := at + len(name)
		for from < len(t.s) && t.s[from] == ' ' {
			from++
		}
		if from == at+len(name) {
			return edit{}, false
		}
		to, mixed := t.run(setToken, from)
		if name == "basic" {
			return basic(t.s, from, to)
		}
		for to > from && t.s[to-1] == '.' {
			to--
		}
		if to-from < least || !mixed {
			return edit{}, false
		}
		return edit{from, to, redacted("bearer token"), rankCredential}, true
	}
}

// basic tells the base64 of user:password from an English word.
func basic(s string, from, to int) (edit, bool) {
	value := strings.TrimRight(s[from:to], "=.")
	if len(value) < 8 || len(value) > 8192 {
		return edit{}, false
	}
	plain, err := base64.RawStdEncoding.DecodeString(value)
	if err != nil {
		plain, err = base64.RawURLEncoding.DecodeString(value)
	}
	if err != nil || !strings.Contains(string(plain), ":") {
		return edit{}, false
	}
	return edit{from, to, redacted("basic auth"), rankCredential}, true
}

// header finds the value of an authorization header, whatever its scheme.
func header(name string, message bool) func(*subject, int, int) (edit, bool) {
	return func(t *subject, i, offset int) (edit, bool) {
		at := i - offset
		if !hasLiteral(t.s, at, name) {
			return edit{}, false
		}
		from, _, ok := separator(t.s, at+len(name))
		if !ok {
			return edit{}, false
		}
		to, mixed := t.run(setToken, from)
		if to < len(t.s) && t.s[to] == ' ' {
			// That was the scheme.
			from = to + 1
			to, mixed = t.run(setToken, from)
		}
		if least := 16; to-from < least && (!message || to-from < 6) || !mixed {
			return edit{}, false
		}
		return edit{from, to, redacted("authorization"), rankCredential}, true
	}
}

// separator skips what stands between a name and its value: quotes, however
// they are escaped, and a colon or an equals sign. It returns where the value
// begins, behind its quote, and what the separator is.
func separator(s string, i int) (value int, sep byte, ok bool) {
	i = skipQuote(s, i)
	for spaces := 0; i < len(s) && s[i] == ' ' && spaces < 4; spaces++ {
		i++
	}
	if i < len(s) && (s[i] == ':' || s[i] == '=') {
		sep = s[i]
		i++
	} else {
		return 0, 0, false
	}
	if sep == '=' && i < len(s) && s[i] == '>' {
		i++ // Ruby and PHP
	}
	for spaces := 0; i < len(s) && s[i] == ' ' && spaces < 4; spaces++ {
		i++
	}
	return skipQuote(s, i), sep, true
}

func skipQuote(s string, i int) int {
	j := i
	for j < len(s) && s[j] == '\\' {
		j++
	}
	if j < len(s) && (s[j] == '"' || s[j] == '\'' || s[j] == '`') {
		return j + 1
	}
	return i
}

// assigned finds the value behind a name that is used for nothing else.
func assigned(name string, least int) func(*subject, int, int) (edit, bool) {
	return func(t *subject, i, offset int) (edit, bool) {
		at := i - offset
		if !hasLiteral(t.s, at, name) {
			return edit{}, false
		}
		from := at + len(name)
		if to, _ := t.run(setBase64, from); to-from >= least {
			return edit{from, to, redacted("key"), rankCredential}, true
		}
		return edit{}, false
	}
}

// parameter finds the value of a query's parameter.
func parameter(name string) func(*subject, int, int) (edit, bool) {
	return func(t *subject, i, offset int) (edit, bool) {
		at := i - offset
		if !hasLiteral(t.s, at, name) || at == 0 || t.s[at-1] != '?' && t.s[at-1] != '&' {
			return edit{}, false
		}
		from := at + len(name)
		if to, _ := t.run(setToken, from); to-from >= 8 {
			return edit{from, to, redacted("credential"), rankCredential}, true
		}
		return edit{}, false
	}
}

// userinfo adds the passwords of addresses to edits, and the user names where
// there is no password, as those are tokens.
func userinfo(s string, edits []edit) []edit {
	for at := 0; ; {
		n := strings.IndexByte(s[at:], '@')
		if n < 0 {
			return edits
		}
		n += at
		from := n
		for from > at && isUserinfo(s[from-1]) {
			from--
		}
		at = n + 1
		if from < 3 || s[from-3:from] != "://" {
			continue
		}
		// A password may have an @ that should have been escaped.
		for end := n + 1; end < len(s) && (isUserinfo(s[end]) || s[end] == '@'); end++ {
			if s[end] == '@' {
				n = end
				at = n + 1
			}
		}
		user, password, ok := strings.Cut(s[from:n], ":")
		switch {
		case ok && password != "":
			from += len(user) + 1
			if user == "" || looksRandom(user, 16) {
				from -= len(user) + 1 // a token for a user name
			}
		case !looksRandom(user, 16):
			continue
		}
		edits = append(edits, edit{from, n, redacted("password"), rankCredential})
	}
}

func isUserinfo(c byte) bool {
	return c > ' ' && c < 0x7f && c != '/' && c != '@' && c != '"' && c != '\'' && c != '`' && c != '\\' && c != '<' && c != '>' && c != '?' && c != '#' && c != '[' && c != ']'
}

// looksRandom reports whether s has at least n characters, a digit and a letter.
func looksRandom(s string, n int) bool {
	digit, letter := false, false
	for i := range len(s) {
		digit = digit || is(s[i], isDigit)
		letter = letter || is(s[i], isLetter)
	}
	return len(s) >= n && digit && letter
}
