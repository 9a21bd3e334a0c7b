package catalog

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// NotFound says that there is no such server or tool, or that the server is
// missing.
type NotFound struct {
	Server string
	Tool   string // empty where it is the server that is not there
	// Problem is why the server is missing; empty where it is not configured,
	// or is there and lacks the tool.
	Problem string
	// Nearest has the names that could have been meant, best first: of servers,
	// of tools on this server, or "server.tool" of others.
	Nearest []string
}

func (e *NotFound) Error() string {
	switch {
	case e.Problem != "":
		return "server " + quoteName(e.Server) + " is not connected: " + e.Problem
	case e.Tool == "":
		return "there is no server " + quoteName(e.Server) + e.Suggestion()
	}
	return "server " + quoteName(e.Server) + " has no tool " + quoteName(e.Tool) + e.Suggestion()
}

// Suggestion is ": did you mean …?", or empty.
func (e *NotFound) Suggestion() string {
	if len(e.Nearest) == 0 {
		return ""
	}
	quoted := make([]string, len(e.Nearest))
	for i, n := range e.Nearest {
		quoted[i] = quoteName(n)
	}
	return ": did you mean " + strings.Join(quoted, " or ") + "?"
}

func (c *Catalog) findServer(name string) (*server, error) {
	if s, ok := c.byName[name]; ok {
		return s, nil
	}
	all := make([]string, len(c.servers))
	for i, s := range c.servers {
		all[i] = s.info.Name
	}
	return nil, &NotFound{Server: name, Nearest: Nearest(name, all)}
}

func (c *Catalog) find(server, name string) (*tool, error) {
	s, err := c.findServer(server)
	if err != nil {
		return nil, err
	}
	if t, ok := s.byName[name]; ok {
		return t, nil
	}
	e := &NotFound{Server: server, Tool: name, Problem: s.info.Problem}
	if e.Problem != "" {
		return nil, e
	}
	own := make([]string, len(s.tools))
	for i, t := range s.tools {
		own[i] = t.Name
	}
	e.Nearest = Nearest(name, own)
	// The right tool of the wrong server is a mistake that models make.
	for _, other := range c.servers {
		if other != s && other.byName[name] != nil && len(e.Nearest) < maxNearest {
			e.Nearest = append(e.Nearest, other.info.Name+"."+name)
		}
	}
	return nil, e
}

const (
	maxNearest = 3
	maxCompare = 64 // characters of a name that are compared
)

// Nearest returns those of the names that name could have meant, at most three,
// best first: the same but for case and punctuation, a few letters off, or
// names that contain it.
func Nearest(name string, among []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	want := comparable(name)
	if len(want) == 0 {
		return nil
	}
	allowed := max(1, len(want)/3)
	var near []candidate
	var row [3][maxCompare + 1]int
	for _, other := range among {
		have := comparable(other)
		d := allowed + 1
		if diff := len(have) - len(want); diff <= allowed && -diff <= allowed {
			d = distance(want, have, &row)
		}
		if d > allowed {
			h, w := string(have), string(want)
			if len(w) < 3 || !strings.Contains(h, w) && (len(h) < 3 || !strings.Contains(w, h)) {
				continue
			}
			d = allowed + 1
		}
		near = append(near, candidate{other, d})
	}
	slices.SortStableFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	out := make([]string, 0, maxNearest)
	for _, c := range near[:min(len(near), maxNearest)] {
		out = append(out, c.name)
	}
	return out
}

// comparable returns the letters and digits of a name, in lower case.
func comparable(name string) []rune {
	out := make([]rune, 0, maxCompare)
	for _, r := range strings.ToLower(cutBytes(name, maxCompare*utf8.UTFMax)) {
		if len(out) == maxCompare {
			break
		}
		if r > 0x7f || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			out = append(out, r)
		}
	}
	return out
}

// distance is how many letters must be put in, taken out, changed or swapped
// with their neighbour.
func distance(a, b []rune, row *[3][maxCompare + 1]int) int {
	before, last, now := row[0][:len(b)+1], row[1][:len(b)+1], row[2][:len(b)+1]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
