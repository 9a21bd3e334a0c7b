package dispatch

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// visit calls f for the subschemas of o under these keywords: one, a list, or a
// map of them. It ends with the first error.
func visit(o map[string]any, at string, ones, lists, maps []string, f func(sub any, at string) error) error {
	for _, k := range ones {
		if sub, ok := o[k].(map[string]any); ok {
			if err := f(sub, at+"/"+k); err != nil {
				return err
			}
		}
	}
	for _, k := range lists {
		list, _ := o[k].([]any)
		for i, sub := range list {
			if err := f(sub, at+"/"+k+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
	}
	for _, k := range maps {
		subs, _ := o[k].(map[string]any)
		for name, sub := range subs {
			if err := f(sub, at+"/"+k+"/"+escape(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func cutPrefix(s, prefix string) (string, bool) { return strings.CutPrefix(s, prefix) }

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

func index(token string, n int) (int, error) {
	i, err := strconv.Atoi(token)
	if err != nil || i < 0 || i >= n {
		return 0, errors.New("no such element")
	}
	return i, nil
}
