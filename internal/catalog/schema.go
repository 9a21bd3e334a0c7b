package catalog

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

// What one schema may become. The numbers are far above what people write and
// far below what would hurt.
const (
	maxTypes      = 5000 // types of one schema
	maxTypeDepth  = 24   // nesting of types
	maxProperties = 256  // properties of one object
	maxLiterals   = 64   // values of one enum
	maxVariants   = 64   // of one anyOf, oneOf or allOf
	maxTuple      = 32   // elements of one tuple
	maxRef        = 1024 // bytes of one $ref
	maxWeight     = 1024 // members of a union that an intersection may multiply to
)

type kind int

const (
	kindUnknown   kind = iota
	kindWord           // text: string, number, null, never, …
	kindLiteral        // text: a literal
	kindUnion          // parts
	kindIntersect      // parts
	kindArray          // rest
	kindTuple          // parts, min of them required, then rest if not nil
	kindObject         // props; rest: the type of other keys, if not nil
	kindNamed          // def
)

// typ is a TypeScript type. After readSchema it never changes.
type typ struct {
	kind  kind
	text  string // of a word or literal
	parts []*typ
	props []prop
	rest  *typ
	min   int
	def   *def
	doc   string // what the schema says of itself, in one line
	limit string // its constraints alone
	cut   bool   // it stands for something that was too large
}

type prop struct {
	name     string
	optional bool
	typ      *typ
}

// def is a type that references name.
type def struct {
	name      string
	typ       *typ
	uses      int
	recursive bool
	inline    bool // it stands where it is used, and needs no name
	weight    int
	empty     *bool  // whether {} is a value of it, once asked for
	mark      [2]int // whether breakCircles has been there
}

// schemaType is what a tool's schema says, as a type.
type schemaType struct {
	typ  *typ
	defs []*def // those that need a name, in the order of their use
	// none says that there is nothing to give; optional that {} will do.
	none, optional bool
	// cut says that typ is less than the schema, and why.
	cut string
}

func cutSchema(why string) *schemaType {
	return &schemaType{typ: &typ{cut: true}, optional: true, cut: why}
}

// converter turns one schema into types.
type converter struct {
	root    *value
	result  bool // of what a tool returns, not of what it is given
	left    int  // types that may still be made
	cut     bool
	defs    map[*value]*def
	order   []*def
	queue   []*value // definitions whose types are not made yet
	refs    map[string]*value
	anchors map[string]*value
}

// readSchema reads a JSON Schema of 2020-12 or draft-07. root is the name that
// the type has where it must have one; result says that it is of a tool's
// output.
func readSchema(raw json.RawMessage, root string, result bool) (*schemaType, error) {
	if len(raw) > maxSchema {
		return cutSchema("its schema is longer than " + strconv.Itoa(maxSchema) + " bytes"), nil
	}
	v, err := parseJSON(raw)
	if err != nil {
		return nil, err
	}
	c := &converter{root: v, result: result, left: maxTypes, defs: map[*value]*def{}, refs: map[string]*value{}}
	top := c.named(v, root)
	// Definitions are converted one after the other, not inside one another: a
	// chain of ten thousand is no recursion.
	for len(c.queue) > 0 {
		v := c.queue[0]
		c.queue = c.queue[1:]
		c.defs[v].typ = c.schema(v, 0)
	}
	c.finish()
	st := &schemaType{typ: top, optional: acceptsEmpty(top, 0)}
	if top.def.inline {
		st.typ = top.def.typ
	}
	if o := st.typ; o.kind == kindObject && len(o.props) == 0 && (o.rest == nil || o.rest.text == "never") {
		st.none = true
	}
	for _, d := range c.order {
		if !d.inline {
			st.defs = append(st.defs, d)
		}
	}
	if c.cut {
		st.cut = "its schema is larger than can be shown"
	}
	return st, nil
}

func (c *converter) cutType() *typ {
	c.cut = true
	return &typ{cut: true}
}

func (c *converter) schema(v *value, depth int) *typ {
	if c.left--; c.left < 0 || depth > maxTypeDepth {
		return c.cutType()
	}
	switch {
	case v.is('f'):
		return word("never")
	case !v.is('{'):
		return &typ{}
	}
	var parts []*typ
	for _, key := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
		if ref := v.get(key).str(); ref != "" {
			if target, name := c.resolve(ref); target != nil {
				parts = append(parts, c.named(target, name))
			}
			break
		}
	}
	if literals := c.literals(v); literals != nil {
		parts = append(parts, literals)
	} else if base := c.base(v, depth); base != nil {
		parts = append(parts, base)
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		if variants := v.get(key).list(); len(variants) > 0 {
			parts = append(parts, union(c.schemas(variants, depth)))
		}
	}
	if all := v.get("allOf").list(); len(all) > 0 {
		parts = append(parts, c.schemas(all, depth)...)
	}
	if not := v.get("not"); not.is('t') || not.is('{') && len(not.keys) == 0 {
		parts = append(parts, word("never"))
	}
	t := intersect(parts)
	if v.get("nullable").is('t') && t.kind != kindUnknown {
		t = union([]*typ{t, word("null")})
	}
	// A copy, because a part may have a document of its own.
	described := *t
	described.doc, described.limit = c.document(v, t)
	return &described
}

func (c *converter) schemas(list []*value, depth int) []*typ {
	if len(list) > maxVariants {
		list = list[:maxVariants]
		c.cut = true
	}
	types := make([]*typ, len(list))
	for i, v := range list {
		types[i] = c.schema(v, depth+1)
	}
	return types
}

// literals returns the type of const and enum, nil where v has neither.
func (c *converter) literals(v *value) *typ {
	list := v.get("enum").list()
	if k := v.get("const"); k != nil {
		list = []*value{k}
	}
	if len(list) == 0 {
		return nil
	}
	var types []*typ
	for i, item := range list {
		if i == maxLiterals {
			c.cut = true
			rest := word("string")
			if !item.is('"') {
				rest = &typ{}
			}
			types = append(types, rest)
			break
		}
		types = append(types, c.literal(item, 0))
	}
	return union(types)
}

func (c *converter) literal(v *value, depth int) *typ {
	if c.left--; c.left < 0 || depth > 4 {
		return c.cutType()
	}
	switch v.kind {
	case 'n':
		return word("null")
	case 't', 'f', '0':
		return &typ{kind: kindLiteral, text: v.literal(0)}
	case '"':
		if len(v.text) > 1000 {
			c.cut = true
			return word("string")
		}
		return &typ{kind: kindLiteral, text: quote(v.text)}
	case '[':
		t := &typ{kind: kindTuple}
		for _, item := range v.items[:min(len(v.items), maxTuple)] {
			t.parts = append(t.parts, c.literal(item, depth+1))
		}
		t.min = len(t.parts)
		return t
	}
	t := &typ{kind: kindObject}
	for i, key := range v.keys[:min(len(v.keys), maxTuple)] {
		t.set(prop{name: key, typ: c.literal(v.items[i], depth+1)})
	}
	return t
}

// base returns the type that type, properties and items give, nil where v says
// nothing of them.
func (c *converter) base(v *value, depth int) *typ {
	var names []string
	if s := v.get("type").str(); s != "" {
		names = []string{s}
	}
	for _, n := range v.get("type").list() {
		if len(names) < 8 {
			names = append(names, n.str())
		}
	}
	if len(names) == 0 {
		switch {
		case v.has("properties", "additionalProperties", "patternProperties"):
			names = []string{"object"}
		case v.has("items", "prefixItems"):
			names = []string{"array"}
		}
	}
	var types []*typ
	for _, n := range names {
		switch n {
		case "string", "boolean", "null", "number":
			types = append(types, word(n))
		case "integer":
			types = append(types, word("number"))
		case "object":
			types = append(types, c.object(v, depth))
		case "array":
			types = append(types, c.array(v, depth))
		case "any":
			types = append(types, &typ{})
		}
	}
	if len(types) == 0 {
		return nil
	}
	return union(types)
}

func (c *converter) object(v *value, depth int) *typ {
	required := map[string]bool{}
	var names []string
	for _, r := range v.get("required").list() {
		if n := r.str(); r.is('"') && !required[n] {
			required[n] = true
			names = append(names, n)
		}
	}
	t := &typ{kind: kindObject}
	properties := v.get("properties")
	declared := map[string]bool{}
	if properties.is('{') {
		for i, key := range properties.keys {
			if len(t.props) == maxProperties || len(key) > maxRef {
				c.cut = true
				continue
			}
			item := properties.items[i]
			if declared[key] {
				item = properties.get(key)
			}
			declared[key] = true
			// required: true on the property itself is draft-03, and still met.
			inner := c.schema(item, depth+1)
			if string(comparable(inner.doc)) == string(comparable(key)) {
				inner.doc = "" // a generator's title: it is the name again
			}
			t.set(prop{name: key, optional: !required[key] && !item.get("required").is('t'), typ: inner})
		}
	}
	for _, n := range names {
		if !declared[n] {
			if len(t.props) == maxProperties || len(n) > maxRef {
				c.cut = true
				break
			}
			t.set(prop{name: n, typ: &typ{}})
		}
	}
	var others []*typ
	if patterns := v.get("patternProperties"); patterns.is('{') {
		others = c.schemas(patterns.items, depth)
	}
	if extra := v.get("additionalProperties"); extra.schema() && !extra.is('f') {
		others = append(others, c.schema(extra, depth+1))
	}
	switch {
	case len(others) > 0:
		t.rest = union(others)
	case len(t.props) == 0 && v.get("additionalProperties").is('f'):
		t.rest = word("never")
	case len(t.props) == 0 && !properties.is('{'):
		t.rest = &typ{}
	}
	return t
}

// set adds a property, or replaces the one of its name.
func (t *typ) set(p prop) {
	for i := range t.props {
		if t.props[i].name == p.name {
			t.props[i] = p
			return
		}
	}
	t.props = append(t.props, p)
}

func (c *converter) array(v *value, depth int) *typ {
	items, rest := v.get("prefixItems"), v.get("items")
	if !items.is('[') && rest.is('[') { // draft-07
		items, rest = rest, v.get("additionalItems")
	}
	if !items.is('[') || len(items.items) == 0 {
		t := &typ{kind: kindArray, rest: &typ{}}
		if rest.schema() {
			t.rest = c.schema(rest, depth+1)
		}
		return t
	}
	list := items.items
	t := &typ{kind: kindTuple}
	if len(list) > maxTuple {
		list = list[:maxTuple]
		c.cut = true
		t.rest = &typ{}
	}
	for _, item := range list {
		t.parts = append(t.parts, c.schema(item, depth+1))
	}
	// By the letter every element is optional where minItems does not say
	// otherwise. Who writes a tuple means all of it.
	t.min = len(t.parts)
	if n, err := strconv.Atoi(v.get("minItems").num()); err == nil && n >= 0 {
		t.min = min(n, len(t.parts))
	}
	if rest.is('{') || rest.is('t') {
		t.rest = c.schema(rest, depth+1)
	}
	return t
}

// named returns a reference to the type of v, which is made later.
func (c *converter) named(v *value, name string) *typ {
	d := c.defs[v]
	if d == nil {
		if title := v.get("title").str(); name == "" {
			name = pascal(title)
		}
		d = &def{name: name}
		c.defs[v] = d
		c.order = append(c.order, d)
		c.queue = append(c.queue, v)
	}
	return &typ{kind: kindNamed, def: d}
}

// resolve follows a $ref within the schema; nil where it leads out of it or
// nowhere. Also a name for what is there.
func (c *converter) resolve(ref string) (*value, string) {
	if len(ref) > maxRef {
		return nil, ""
	}
	name := ""
	if ref != "#" {
		name = pascal(ref[strings.LastIndexAny(ref, "/#")+1:])
	}
	if v, ok := c.refs[ref]; ok {
		return v, name
	}
	v := c.follow(ref)
	if !v.schema() {
		v = nil
	}
	c.refs[ref] = v
	return v, name
}

func (c *converter) follow(ref string) *value {
	if ref == "#" {
		return c.root
	}
	if pointer, ok := strings.CutPrefix(ref, "#/"); ok {
		v := c.root
		for step := range strings.SplitSeq(pointer, "/") {
			if plain, err := url.PathUnescape(step); err == nil {
				step = plain
			}
			step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
			if v.is('[') {
				i, err := strconv.Atoi(step)
				if err != nil || i < 0 || i >= len(v.items) {
					return nil
				}
				v = v.items[i]
			} else if v = v.get(step); v == nil {
				return nil
			}
		}
		return v
	}
	if c.anchors == nil {
		c.anchors = map[string]*value{}
		c.findAnchors(c.root)
	}
	return c.anchors[ref]
}

func (c *converter) findAnchors(v *value) {
	for _, key := range []string{"$anchor", "$dynamicAnchor"} {
		if a := v.get(key).str(); a != "" {
			c.anchors["#"+a] = v
		}
	}
	if id := v.get("$id").str(); id != "" {
		c.anchors[id] = v
	}
	for _, item := range v.items {
		c.findAnchors(item)
	}
}
