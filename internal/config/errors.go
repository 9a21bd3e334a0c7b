package config

import (
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong with a file.
type Error struct {
	File string
	// Line and Column are 1-based; zero where the place is not known.
	Line, Column int
	// Key is the key that it is about: "servers.github.url".
	Key     string
	Message string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

// Errors are all that is wrong with a file, in the order of its lines.
type Errors []*Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, one := range e {
		out[i] = one
	}
	return out
}

// maxErrors is how many are told; who has more has another problem.
const maxErrors = 20

func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if more := len(e) - maxErrors; more > 0 {
		e = append(e[:maxErrors:maxErrors], &Error{File: e[0].File, Message: fmt.Sprintf("and %d more", more)})
	}
	return e
}

// nearest returns the one of names that name was most likely meant to be, or "".
func nearest(name string, names []string) string {
	best, distance := "", max(2, len(name)/3)+1
	folded := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	for _, n := range names {
		d := editDistance(folded, strings.ToLower(n))
		if len(n) > 3 && (strings.Contains(folded, strings.ToLower(n)) || len(folded) > 3 && strings.Contains(n, folded)) {
			d = min(d, 2)
		}
		if d < distance {
			best, distance = n, d
		}
	}
	return best
}

// editDistance counts the bytes that must be put in, taken out, replaced or
// swapped with their neighbour. Names that are absurdly long are far from all.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
