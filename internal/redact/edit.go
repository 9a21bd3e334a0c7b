package redact

import (
	"cmp"
	"slices"
	"strings"
)

// An edit puts a mark in place of s[from:to].
type edit struct {
	from, to int
	mark     string
	rank     rank
}

// rank says whose mark is put where edits overlap.
type rank uint8

const (
	rankPath rank = iota
	rankAddress
	rankCredential // by a name that is in front of it
	rankShape
	rankPattern
	rankSecret
	rankTrace
)

// Marks. None needs an escape in JSON, HTML or a shell's quotes, and none has
// what a finder looks for.
const (
	markSecret  = "[redacted secret]"
	markPattern = "[redacted]"
	markPath    = "[path]"
	markAddress = "[private address]"
	markHost    = "[private host]"
	markTrace   = "[stack trace]"
	// markBegin is what all marks of credentials begin with.
	markBegin = "[redacted"
)

func redacted(what string) string { return markBegin + " " + what + "]" }

// merge sorts edits, and makes one of those that overlap, and of those that
// would put the same mark side by side.
func merge(edits []edit) []edit {
	if len(edits) < 2 {
		return edits
	}
	slices.SortFunc(edits, func(a, b edit) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to), cmp.Compare(b.rank, a.rank))
	})
	out := edits[:1]
	for _, e := range edits[1:] {
		last := &out[len(out)-1]
		if e.from > last.to || e.from == last.to && e.mark != last.mark {
			out = append(out, e)
			continue
		}
		if e.rank > last.rank {
			last.mark, last.rank = e.mark, e.rank
		}
		last.to = max(last.to, e.to)
	}
	return out
}

func apply(s string, edits []edit) string {
	if len(edits) == 0 {
		return s
	}
	size := len(s)
	for _, e := range edits {
		size += len(e.mark) - (e.to - e.from)
	}
	var b strings.Builder
	b.Grow(size)
	at := 0
	for _, e := range edits {
		b.WriteString(s[at:e.from])
		b.WriteString(e.mark)
		at = e.to
	}
	b.WriteString(s[at:])
	return b.String()
}
