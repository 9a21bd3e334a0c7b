package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// Query is what is looked for.
type Query struct {
	// Text is a name, words, or a sentence. Empty, it asks for the servers, or
	// for the tools of Server. It is read to 1,000 bytes.
	Text string
	// Server, where not empty, is the only server that is searched.
	Server string
	// Limit is how many hits there are at most, never more than 100. Where it
	// is 0: 8, or 30 where only a server was named.
	Limit int
	// Detail asks for declarations with what the arguments mean in place of
	// signatures.
	Detail bool
}

const (
	defaultLimit = 8
	listingLimit = 30
	maxLimit     = 100
	maxQuery     = 1000
)

// Hit is a tool that fits.
type Hit struct {
	Server string `json:"server"`
	Tool   string `json:"tool"`
	// Description is one line, of at most 200 characters.
	Description string `json:"description"`
	// Types is the call on one line; with Query.Detail the declaration as from
	// Catalog.Types.
	Types string `json:"types"`
	// Score orders the hits of one query and means nothing beyond it.
	Score float64 `json:"-"`
}

// Hits is the answer to a Query.
type Hits struct {
	// Tools is best first; of equals, by server and then in the server's order.
	Tools []Hit
	// Total is how many tools fit, shown or not.
	Total int
	// Servers is set where the query was empty: all of them.
	Servers []ServerInfo
	// Missing has the servers of which nothing can be found now, with the
	// reason.
	Missing []ServerInfo
	// NotFound is set where Query.Server is not the name of a server.
	NotFound *NotFound
	// Nearest has names, "server.tool", that may have been meant where no tool
	// fits.
	Nearest []string
}

// Search returns the tools that fit best. First come tools whose name is the
// query, then those whose name begins with it, then all by the words that they
// share with it (BM25). The same catalog gives the same answer.
func (c *Catalog) Search(q Query) Hits {
	hits := Hits{Tools: []Hit{}}
	var only *server
	if q.Server != "" {
		s, err := c.findServer(q.Server)
		if err != nil {
			hits.NotFound = err.(*NotFound)
			return hits
		}
		only = s
	}
	for _, s := range c.servers {
		if s.info.Problem != "" && (only == nil || only == s) {
			hits.Missing = append(hits.Missing, s.info)
		}
	}
	text := strings.TrimSpace(cutBytes(q.Text, maxQuery))
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
		if text == "" {
			limit = listingLimit
		}
	}
	limit = min(limit, maxLimit)
	var found []scored
	switch {
	case text == "" && only == nil:
		hits.Servers = c.Servers()
		return hits
	case text == "":
		for _, t := range only.tools {
			found = append(found, scored{t, 0})
		}
	default:
		found = c.index.search(text, only)
		slices.SortStableFunc(found, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
		// What shares a common word with the query is no answer to it.
		if len(found) > 0 {
			least := found[0].score
			if least > prefixMatch {
				least = c.index.typical(found)
			}
			least *= tail
			found = slices.DeleteFunc(found, func(s scored) bool { return s.score < least })
		}
	}
	hits.Total = len(found)
	for _, s := range found[:min(limit, len(found))] {
		hits.Tools = append(hits.Tools, c.hit(s, q.Detail))
	}
	if len(found) == 0 && text != "" {
		hits.Nearest = c.nearest(text, only)
	}
	return hits
}

// nearest returns the tools whose name, without the server's, is near.
func (c *Catalog) nearest(text string, only *server) []string {
	full := map[string]string{}
	var all []string
	for _, t := range c.tools {
		if only != nil && t.server != only || full[t.Name] != "" {
			continue
		}
		full[t.Name] = t.server.info.Name + "." + t.Name
		all = append(all, t.Name)
	}
	names := Nearest(text, all)
	for i, n := range names {
		names[i] = full[n]
	}
	return names
}

func (c *Catalog) hit(s scored, detail bool) Hit {
	h := Hit{Server: s.tool.server.info.Name, Tool: s.tool.Name, Description: s.tool.line, Score: s.score}
	if s.tool.ReadOnly == nil || !*s.tool.ReadOnly {
		if s.tool.Destructive != nil && *s.tool.Destructive {
			h.Description = strings.TrimSpace(h.Description + " (destructive)")
		}
	}
	if detail {
		h.Types = declare(s.tool.server, []*tool{s.tool}, "")
	} else {
		h.Types = s.tool.signature()
	}
	return h
}
