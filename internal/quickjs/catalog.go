package quickjs

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// Catalog is the names of servers and tools, and how identifiers map to them.
// It is immutable and outlives isolates. A nil Catalog knows no names and lets
// every name through to the host.
type Catalog struct {
	names   []string
	servers map[string]*serverTools // by exact name
	alias   map[string]string       // identifier → exact name
	owner   map[string][]string     // tool or its identifier → servers
}

type serverTools struct {
	names []string
	exact map[string]struct{}
	alias map[string]string
}

// ParseCatalog reads the body of a catalog message.
func ParseCatalog(body []byte) (*Catalog, error) {
	var list []wire.CatalogServer
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	c := &Catalog{servers: make(map[string]*serverTools, len(list)), owner: map[string][]string{}}
	for i, s := range list {
		if s.Name == "" {
			return nil, fmt.Errorf("read the catalog: server %d has no name", i)
		}
		if c.servers[s.Name] != nil {
			return nil, fmt.Errorf("read the catalog: server %q is there twice", s.Name)
		}
		t := &serverTools{names: slices.Clone(s.Tools), exact: make(map[string]struct{}, len(s.Tools))}
		for _, name := range s.Tools {
			t.exact[name] = struct{}{}
		}
		if len(t.exact) != len(t.names) {
			// Listing a name twice breaks the rules that proxies keep.
			slices.Sort(t.names)
			t.names = slices.Compact(t.names)
		}
		t.alias = aliases(t.names)
		c.names = append(c.names, s.Name)
		c.servers[s.Name] = t
		for _, name := range t.names {
			c.owner[name] = append(c.owner[name], s.Name)
		}
		for id, name := range t.alias {
			if _, ok := t.exact[id]; !ok && id != name {
				c.owner[id] = append(c.owner[id], s.Name)
			}
		}
	}
	c.alias = aliases(c.names)
	return c, nil
}

// aliases maps each name's identifier to it, where that is one name's alone.
func aliases(names []string) map[string]string {
	m := make(map[string]string)
	twice := make(map[string]struct{})
	for _, n := range names {
		id := identifier(n)
		if _, ok := m[id]; ok {
			twice[id] = struct{}{}
		}
		m[id] = n
	}
	for id := range twice {
		delete(m, id)
	}
	return m
}

// identifier is name with every character that an identifier cannot have
// replaced by an underscore.
func identifier(name string) string {
	out := make([]rune, 0, len(name))
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r == '$', r >= '0' && r <= '9' && i > 0:
			out = append(out, r)
		case r >= '0' && r <= '9': // a digit in front gets its underscore before it
			out = append(out, '_', r)
		default:
			out = append(out, '_')
		}
	}
	return string(out)
}

func (c *Catalog) serverNames() []string {
	if c == nil {
		return nil
	}
	return c.names
}

// server resolves what a program wrote to a server's exact name.
func (c *Catalog) server(name string) (string, bool) {
	if c == nil {
		return "", false
	}
	if c.servers[name] != nil {
		return name, true
	}
	exact, ok := c.alias[name]
	return exact, ok
}

func (c *Catalog) toolNames(server string) []string {
	if c == nil || c.servers[server] == nil {
		return nil
	}
	return c.servers[server].names
}

// tool resolves what a program wrote to the exact name of a server's tool.
func (c *Catalog) tool(server, name string) (string, bool) {
	if c == nil || c.servers[server] == nil {
		return "", false
	}
	t := c.servers[server]
	if _, ok := t.exact[name]; ok {
		return name, true
	}
	exact, ok := t.alias[name]
	return exact, ok
}

// owners is which servers have a tool that a program would call by that name.
func (c *Catalog) owners(tool string) []string {
	if c == nil {
		return nil
	}
	return c.owner[tool]
}

// owned is the names of the tools that one server alone has.
func (c *Catalog) owned() []string {
	if c == nil {
		return nil
	}
	var names []string
	for _, s := range c.names {
		for _, t := range c.servers[s].names {
			if len(c.owner[t]) == 1 {
				names = append(names, t)
			}
		}
	}
	return names
}
