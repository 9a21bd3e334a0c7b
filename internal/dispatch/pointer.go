package dispatch

import (
	"net/url"
	"strings"
)

// split returns the tokens of a JSON pointer in a URI's fragment, without the
// first slash.
func split(pointer string) []string {
	tokens := strings.Split(pointer, "/")
	for i, t := range tokens {
		if u, err := url.PathUnescape(t); err == nil {
			t = u
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens
}

func escape(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
}
