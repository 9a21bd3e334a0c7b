package stash

import (
	"fmt"
	"strconv"
)

// Kind says what was wrong.
type Kind string

// The kinds of errors.
const (
	BadKey   Kind = "bad key"   // the key is no key
	BadValue Kind = "bad value" // the value is empty
	BadTTL   Kind = "bad ttl"   // the time to live is negative or above MaxTTL
	TooLarge Kind = "too large" // the value is above MaxValue
	Full     Kind = "full"      // no room for one more entry, or for so many bytes
	Conflict Kind = "conflict"  // the key has an entry that these labels may not change
	Closed   Kind = "closed"    // the store was closed, or dropped to make room
)

// Error is every failure of a Store.
type Error struct {
	Kind    Kind
	Message string
	// Suggestion says what would be right, where that can be said.
	Suggestion string
	// Labels are what the execution takes on by hearing of the failure.
	Labels []string
}

func (e *Error) Error() string { return "stash: " + e.Message }

const maxKey = 256

// checkKey does not show all of a long key: it is as long as a program likes.
func checkKey(key string) error {
	e := &Error{Kind: BadKey, Suggestion: "Use 1 to 256 characters of A-Z a-z 0-9 _ - . and :"}
	if key == "" {
		e.Message = "the key is empty"
		return e
	}
	if len(key) > maxKey {
		e.Message = fmt.Sprintf("the key that begins with %s has %d bytes, and %d is the most",
			strconv.QuoteToASCII(key[:32]), len(key), maxKey)
		return e
	}
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.', c == ':':
		default:
			e.Message = fmt.Sprintf("the key %s has a character that keys cannot have, at byte %d", strconv.QuoteToASCII(key), i)
			return e
		}
	}
	return nil
}
