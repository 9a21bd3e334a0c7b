package catalog

import (
	"fmt"
	"strings"
)

// RenderHits writes the answer to a query for a model to read: what fits and
// how it is called, what is missing and why, and how to see more. detail says
// that the query asked for declarations. A server's words stand on lines that
// begin with our own, so that they cannot pretend to be another hit.
func RenderHits(hits Hits, detail bool) string {
	var b strings.Builder
	switch {
	case hits.NotFound != nil:
		b.WriteString(upper(hits.NotFound.Error()) + "\n")
		if len(hits.NotFound.Nearest) == 0 {
			b.WriteString("An empty query lists the servers.\n")
		}
		return b.String()
	case hits.Servers != nil:
		renderServers(&b, hits.Servers)
		return b.String()
	case len(hits.Tools) == 0:
		b.WriteString("No tool fits.")
		if len(hits.Nearest) > 0 {
			b.WriteString(" Perhaps " + strings.Join(quoteAll(hits.Nearest), " or ") + ".")
		}
		b.WriteString(" Try other words; an empty query lists the servers.\n")
	default:
		renderTools(&b, hits, detail)
	}
	if len(hits.Missing) > 0 {
		b.WriteString("\nNot connected:\n")
		for _, s := range hits.Missing {
			b.WriteString("- " + label(s.Name) + ": " + s.Problem + "\n")
		}
	}
	return b.String()
}

func renderServers(b *strings.Builder, servers []ServerInfo) {
	if len(servers) == 0 {
		b.WriteString("No servers are configured.\n")
		return
	}
	b.WriteString("Servers:\n")
	for _, s := range servers {
		if s.Problem != "" {
			b.WriteString("- " + label(s.Name) + ": NOT CONNECTED: " + s.Problem + "\n")
			continue
		}
		b.WriteString("- " + label(s.Name) + " (" + plural(s.Tools, "tool"))
		if n := s.Resources + s.Templates; n > 0 {
			b.WriteString(", " + plural(n, "resource"))
		}
		b.WriteString(")")
		if s.Description != "" {
			b.WriteString(": " + s.Description)
		}
		b.WriteString("\n")
	}
	b.WriteString("\nSearch for what you need; with server alone, you get that server's tools.\n")
}

func renderTools(b *strings.Builder, hits Hits, detail bool) {
	unknown := false
	for i, h := range hits.Tools {
		if detail {
			if i > 0 {
				b.WriteString("\n")
			}
			b.WriteString(h.Types)
			continue
		}
		b.WriteString(h.Types + "\n")
		if h.Description != "" {
			b.WriteString("  " + h.Description + "\n")
		}
		unknown = unknown || strings.HasSuffix(h.Types, "): Promise<unknown>")
	}
	var more []string
	if n := hits.Total - len(hits.Tools); n > 0 {
		more = append(more, fmt.Sprintf("%d more fit: raise limit, or name a server.", n))
	}
	if !detail {
		more = append(more, "detail: true shows what the arguments mean.")
	}
	if len(more) > 0 || unknown {
		b.WriteString("\n")
	}
	if unknown {
		b.WriteString("Promise<unknown>: no output schema; it is the text, or its value where the text is JSON. Look at one result first.\n")
	}
	if len(more) > 0 {
		b.WriteString(strings.Join(more, " ") + "\n")
	}
}

// label returns a server's name for a line of text.
func label(name string) string {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c != '-' && c != '.' && !identifier("a"+name[i:i+1]) {
			return quote(name)
		}
	}
	return name
}

func quoteAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = label(n)
	}
	return out
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
