package redact

import (
	"slices"
	"strings"
)

// secretNames end the names of what holds credentials: DB_PASSWORD, accessToken,
// X-Amz-Signature.
var secretNames = []string{
	"password", "passwd", "passphrase", "passwort", "pwd=", "pwd:", `pwd"`, "secret", "token", "api_key", "apikey", "api-key", "access_key", "accesskey", "access-key",
	"private_key", "privatekey", "private-key", "secret_key", "secretkey", "secret-key", "subscription-key", "signature", "credential",
	"sig=", "cookie", "session_id", "sessionid",
}

// maxLook is how many bytes of a value are looked at to tell what it is.
const maxLook = 512

// words are what stands behind such a name in messages that say what is wrong
// with it.
var words = []string{
	"null", "undefined", "none", "nil", "true", "false", "required", "missing", "invalid", "expired", "string", "number", "object", "boolean",
	"empty", "unset", "optional", "unknown", "forbidden", "unauthorized", "denied", "default", "redacted", "hidden", "function", "symbol",
}

func nameFinders() []finder {
	var fs []finder
	for _, name := range secretNames {
		fs = append(fs, finder{literal: name, find: named(strings.TrimRight(name, "=:\""))})
	}
	return fs
}

// named finds the value of a variable, a member or a header by its name. It
// leaves messages about the value: "password: must have 8 characters", "Invalid
// token: unexpected end".
func named(name string) func(*subject, int, int) (edit, bool) {
	return func(t *subject, i, offset int) (edit, bool) {
		s, at := t.s, i-offset
		if !hasLiteral(s, at, name) {
			return edit{}, false
		}
		end := at + len(name)
		from, sep, ok := separator(s, end)
		if !ok || from >= len(s) {
			return edit{}, false
		}
		if sep == ':' && inUserinfo(s, at) {
			return edit{}, false // https://x-access-token:…@host, which userinfo handles
		}
		quoted := isAny(s[from-1], "\"'`")
		to := from
		if quoted {
			for to < len(s) && s[to] != s[from-1] && s[to] != '\n' && s[to] != '\\' {
				to++
			}
		} else if t.value.from <= from && from < t.value.to {
			to = t.value.to // read already, for a name in the value of another
		} else {
			for to < len(s) && isValue(s[to]) {
				to++
			}
			t.value = span{from, to}
		}
		value := s[from:to]
		if name == "cookie" && sep == ':' {
			// All of a line, as there may be several.
			if t.line.from <= from && from < t.line.to {
				to = t.line.to
			} else if n := strings.IndexAny(s[from:], "\"\r\n\\"); n >= 0 {
				to = from + n
			} else {
				to = len(s)
			}
			t.line = span{from, to}
			if !strings.Contains(s[from:min(to, from+maxLook)], "=") {
				return edit{}, false
			}
		} else if !isSecretValue(value, sep == '=' && s[from-1] == '=', quoted, name) {
			return edit{}, false
		}
		return edit{from, to, redacted("credential"), rankCredential}, true
	}
}

// isSecretValue tells a value from a word about it. assigned says that it
// stands directly behind an equals sign, which is how no sentence is written.
func isSecretValue(value string, assigned, quoted bool, name string) bool {
	value = value[:min(len(value), maxLook)]
	switch {
	case len(value) < 4 || strings.HasPrefix(value, "[") || strings.HasPrefix(value, "<") || strings.HasPrefix(value, "${") || strings.HasPrefix(value, "***"):
		return false
	case len(value) < 16 && slices.Contains(words, strings.ToLower(strings.TrimRight(value, ".!"))):
		return false
	case strings.Trim(value, "0123456789.") == "":
		// A number of tokens, but for passwords.
		return strings.HasPrefix(name, "passw") || name == "pwd"
	case name == "pwd" && value[0] == '/':
		return false // the working directory
	case assigned:
		return true
	case quoted:
		return !strings.Contains(value, " ")
	}
	return looksRandom(value, 8)
}

// inUserinfo reports whether s[at] may be in the user name of an address.
func inUserinfo(s string, at int) bool {
	from := at
	for from > 0 && at-from < 64 && isUserinfo(s[from-1]) && s[from-1] != ':' {
		from--
	}
	return from >= 3 && s[from-3:from] == "://"
}

func isValue(c byte) bool { return c > ' ' && c != 0x7f && !isAny(c, "\"'`&;,)]}<>\\") }

// isAny reports whether c is one of chars.
func isAny(c byte, chars string) bool { return strings.IndexByte(chars, c) >= 0 }
