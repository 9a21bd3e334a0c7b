package dispatch

import (
	"errors"
	"fmt"
	"reflect"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

const (
	// maxWork bounds one validation. The unit is about a byte that the library
	// looks at or prints: it prints values into its errors, also into those of
	// alternatives that nobody sees. A unit takes it some 20 ns, 40 at worst.
	maxWork = 4 << 20
	// maxApplied is how deep subschemas may apply, in values and in place.
	maxApplied = 400
	// maxPattern bounds the patterns of a schema, in instructions of the
	// compiled program: each may have to be looked at for each byte of a text.
	maxPattern = 20_000
)

var (
	errRef = errors.New("it refers to what is not in it by a JSON pointer")
	errID  = errors.New("a part of it has an $id of its own")
)

// cost is a subschema as far as it says what it takes to validate a value. To
// follow it through a value before the library does is how nothing here runs
// without end: a schema that refers to itself, or doubles with each level of
// the value, costs too much before long.
type cost struct {
	own     int     // for each value
	pattern int     // for each byte of a string
	same    []*cost // those that apply to the same value

	properties map[string]*cost
	patterns   []patternCost // of names
	members    []*cost       // those that apply to any member of an object
	names      []*cost

	places   [][]*cost // those that apply to one element, by its place
	elements []*cost   // those that apply to any element
}

type patternCost struct {
	perByte int
	cost    *cost
}

// costOf returns the cost of a schema, and its subschemas by JSON pointer. An
// error says why the schema must not be used.
func costOf(root *jsonschema.Schema) (*cost, map[string]*jsonschema.Schema, error) {
	m := measure{costs: map[*jsonschema.Schema]*cost{}, at: map[string]*jsonschema.Schema{}}
	top, err := m.schema(root, "#")
	if err != nil {
		return nil, nil, err
	}
	for s, c := range m.costs {
		switch {
		case s.DynamicRef != "":
			return nil, nil, errRef
		case s.ID != "" && s != root: // references in it have another root
			return nil, nil, errID
		case s.Ref != "":
			to := m.costs[referent(m.at, s.Ref)]
			if to == nil {
				return nil, nil, errRef
			}
			c.same = append(c.same, to)
		}
	}
	return top, m.at, nil
}

// referent is the subschema that a reference means, or nil.
func referent(at map[string]*jsonschema.Schema, ref string) *jsonschema.Schema {
	pointer := "#"
	if rest, ok := strings.CutPrefix(ref, "#/"); ok {
		for _, token := range split(rest) {
			pointer += "/" + escape(token)
		}
	} else if ref != "#" {
		return nil
	}
	return at[pointer]
}

type measure struct {
	costs        map[*jsonschema.Schema]*cost
	at           map[string]*jsonschema.Schema
	instructions int // of all patterns
}

// schema measures a subschema and those in it. It goes through the fields of
// the library's type, as the library does: one that is not known here is taken
// for one that applies to the same value.
func (m *measure) schema(s *jsonschema.Schema, at string) (*cost, error) {
	c := &cost{own: 48 + 4*len(s.Properties)}
	m.costs[s], m.at[at] = c, s
	if s.Enum != nil {
		c.own += 2 * sizeOf(s.Enum)
	}
	if s.Const != nil {
		c.own += 2 * sizeOf(*s.Const)
	}
	lists := [][]string{s.Required}
	for name, list := range s.DependentRequired {
		lists = append(lists, list, []string{name})
	}
	for name, list := range s.DependencyStrings {
		lists = append(lists, list, []string{name})
	}
	for _, list := range lists {
		for _, name := range list {
			c.own += 4 + len(name)
		}
	}
	var err error
	if c.pattern, err = m.pattern(s.Pattern); err != nil {
		return nil, err
	}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch f.Name {
		case "Items", "ItemsArray":
			name = "items"
		case "DependencySchemas":
			name = "dependencies"
		}
		at := at + "/" + name
		switch subs := v.Field(i).Interface().(type) {
		case *jsonschema.Schema:
			if subs == nil {
				continue
			}
			sub, err := m.schema(subs, at)
			if err != nil {
				return nil, err
			}
			c.add(f.Name, sub)
		case []*jsonschema.Schema:
			for n, s := range subs {
				if s == nil {
					continue // the library refuses it
				}
				sub, err := m.schema(s, at+"/"+strconv.Itoa(n))
				if err != nil {
					return nil, err
				}
				if f.Name == "PrefixItems" || f.Name == "ItemsArray" {
					for len(c.places) <= n {
						c.places = append(c.places, nil)
					}
					c.places[n] = append(c.places[n], sub)
					continue
				}
				c.add(f.Name, sub)
			}
		case map[string]*jsonschema.Schema:
			for key, s := range subs {
				if s == nil {
					continue
				}
				sub, err := m.schema(s, at+"/"+escape(key))
				if err != nil {
					return nil, err
				}
				switch f.Name {
				case "Properties":
					if c.properties == nil {
						c.properties = make(map[string]*cost, len(subs))
					}
					c.properties[key] = sub
				case "PatternProperties":
					n, err := m.pattern(key)
					if err != nil {
						return nil, err
					}
					c.patterns = append(c.patterns, patternCost{n, sub})
				default:
					c.add(f.Name, sub)
				}
			}
		}
	}
	return c, nil
}

func (c *cost) add(field string, sub *cost) {
	switch field {
	case "AdditionalProperties", "UnevaluatedProperties":
		c.members = append(c.members, sub)
	case "PropertyNames":
		c.names = append(c.names, sub)
	case "Items", "AdditionalItems", "Contains", "UnevaluatedItems":
		c.elements = append(c.elements, sub)
	case "Defs", "Definitions", "ContentSchema": // they apply where they are referred to
	default:
		c.same = append(c.same, sub)
	}
}

// pattern returns what a pattern costs for each byte of a text.
func (m *measure) pattern(expr string) (int, error) {
	if expr == "" {
		return 0, nil
	}
	if len(expr) > maxPattern {
		return 0, fmt.Errorf("a pattern has %d bytes, and %d is the most", len(expr), maxPattern)
	}
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0, err
	}
	n := instructions(re)
	if m.instructions += n; m.instructions > maxPattern {
		return 0, fmt.Errorf("its patterns have more than %d instructions", maxPattern)
	}
	return 1 + n/4, nil
}

// instructions is about how long the program of a pattern is.
func instructions(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n = min(n+instructions(sub), 2*maxPattern)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return min(n, 2*maxPattern)
}

// affordable reports whether the library may validate the value.
func (c *cost) affordable(value any) bool {
	left := maxWork
	return c.spend(&left, value, sizeOf(value), 0)
}

func (c *cost) spend(left *int, v any, size, depth int) bool {
	*left -= c.own + size
	if *left < 0 || depth > maxApplied {
		return false
	}
	depth++
	for _, sub := range c.same {
		if !sub.spend(left, v, size, depth) {
			return false
		}
	}
	all := func(subs []*cost, v any, size int) bool {
		for _, sub := range subs {
			if !sub.spend(left, v, size, depth) {
				return false
			}
		}
		return true
	}
	switch v := v.(type) {
	case string:
		*left -= c.pattern * len(v)
	case []any:
		for i, x := range v {
			size := sizeOf(x)
			if !all(c.elements, x, size) || i < len(c.places) && !all(c.places[i], x, size) {
				return false
			}
		}
	case map[string]any:
		for name, x := range v {
			size := sizeOf(x)
			if sub := c.properties[name]; sub != nil && !sub.spend(left, x, size, depth) {
				return false
			}
			for _, p := range c.patterns {
				*left -= p.perByte * (len(name) + 1)
				if !p.cost.spend(left, x, size, depth) {
					return false
				}
			}
			if !all(c.members, x, size) || !all(c.names, name, len(name)) {
				return false
			}
		}
	}
	return *left >= 0
}

// sizeOf is about how many bytes a value has in print.
func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 2
	case []any:
		n := 2
		for _, x := range v {
			n += sizeOf(x) + 1
		}
		return n
	case map[string]any:
		n := 2
		for name, x := range v {
			n += len(name) + sizeOf(x) + 4
		}
		return n
	}
	return 8
}
