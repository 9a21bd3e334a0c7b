package catalog

// finish makes the types of a schema such that TypeScript accepts them: no
// alias that is only itself, no intersection that multiplies to more members
// than the compiler bears. Then it decides which definitions need a name.
func (c *converter) finish() {
	for _, d := range c.order {
		breakCircles(d, direct)
	}
	for _, d := range c.order {
		weighAll(d.typ)
	}
	for _, d := range c.order {
		count(d.typ)
	}
	markRecursive(c.order)
	for i, d := range c.order {
		// The first is the schema itself, and its use is the tool.
		if i == 0 {
			d.uses++
		}
		d.inline = !d.recursive && (d.uses <= 1 || small(d.typ))
	}
}

const (
	unseen = iota
	active
	done
)

// How the compiler looks at what stands in an alias.
const (
	direct = iota // at once, but later into arrays and tuples
	strict        // at once, into arrays and tuples too
	later         // only when it is used
)

// breakCircles replaces each reference with which a definition would be itself
// without an object in between: type A = A | string is an error. The compiler
// looks into arrays and tuples later, so that A = A[] is none; but not where
// they stand in an intersection, or as the optional elements or the rest of a
// tuple. The rules are its own (isResolvedByTypeAlias), found by thousands of
// random schemas; where they are in doubt, more is replaced than must be.
func breakCircles(d *def, mode int) {
	if d.mark[mode] != unseen {
		return
	}
	d.mark[mode] = active
	var visit func(t *typ, mode int)
	visit = func(t *typ, mode int) {
		inner := later
		if mode == strict {
			inner = strict
		}
		switch t.kind {
		case kindUnion, kindIntersect:
			if t.kind == kindIntersect && mode == direct {
				mode = strict
			}
			for _, p := range t.parts {
				visit(p, mode)
			}
		case kindArray:
			visit(t.rest, inner)
		case kindTuple:
			for i, p := range t.parts {
				if i < t.min {
					visit(p, inner)
				} else {
					visit(p, strict)
				}
			}
			if t.rest != nil {
				visit(t.rest, strict)
			}
		case kindNamed:
			if mode == later {
				return
			}
			// Below it the same reference may be met again, and be gone after.
			target := t.def
			if breakCircles(target, mode); target.mark[direct] == active || target.mark[strict] == active {
				*t = typ{doc: t.doc, limit: t.limit}
			}
		}
	}
	visit(d.typ, mode)
	d.mark[mode] = done
}

// weighAll bounds every intersection in t.
func weighAll(t *typ) {
	weigh(t)
	t.each(weighAll)
}

// weigh returns how many members t has as a union. An intersection multiplies
// those of its parts: parts that would make it too large are dropped.
func weigh(t *typ) int {
	weight := 1
	switch t.kind {
	case kindUnion:
		weight = 0
		for _, p := range t.parts {
			weight = min(weight+weigh(p), maxWeight+1)
		}
	case kindIntersect:
		for i, p := range t.parts {
			w := weigh(p)
			if weight*w > maxWeight {
				t.parts[i] = &typ{cut: true}
				continue
			}
			weight *= w
		}
	case kindNamed:
		// There are no circles here any more but those through objects, where
		// this does not go.
		if t.def.weight == 0 {
			t.def.weight = weigh(t.def.typ)
		}
		return t.def.weight
	}
	return weight
}

func count(t *typ) {
	if t.kind == kindNamed {
		t.def.uses++
	}
	t.each(count)
}

// circles marks the definitions that lead back to themselves, in one pass
// (Tarjan's strongly connected components).
type circles struct {
	order map[*def]int // when it was first seen, from 1
	low   map[*def]int // the earliest that it leads back to
	stack []*def
	on    map[*def]bool
}

func markRecursive(defs []*def) {
	c := &circles{order: map[*def]int{}, low: map[*def]int{}, on: map[*def]bool{}}
	for _, d := range defs {
		if c.order[d] == 0 {
			c.visit(d)
		}
	}
}

func (c *circles) visit(d *def) {
	c.order[d] = len(c.order) + 1
	c.low[d] = c.order[d]
	c.stack = append(c.stack, d)
	c.on[d] = true
	c.follow(d, d.typ)
	if c.low[d] != c.order[d] {
		return
	}
	for alone := true; ; alone = false {
		last := c.stack[len(c.stack)-1]
		c.stack = c.stack[:len(c.stack)-1]
		c.on[last] = false
		if last != d || !alone {
			last.recursive = true
		}
		if last == d {
			return
		}
	}
}

func (c *circles) follow(d *def, t *typ) {
	if t.kind == kindNamed {
		switch {
		case t.def == d:
			d.recursive = true
		case c.order[t.def] == 0:
			c.visit(t.def)
			c.low[d] = min(c.low[d], c.low[t.def])
		case c.on[t.def]:
			c.low[d] = min(c.low[d], c.order[t.def])
		}
	}
	t.each(func(u *typ) { c.follow(d, u) })
}

// small reports whether a type is as short as a name for it.
func small(t *typ) bool {
	switch t.kind {
	case kindUnknown, kindWord:
		return true
	case kindLiteral:
		return len(t.text) < 24
	case kindArray:
		return small(t.rest)
	case kindUnion:
		length := 0
		for _, p := range t.parts {
			if p.kind != kindWord && p.kind != kindLiteral {
				return false
			}
			length += len(p.text) + 3
		}
		return length < 40
	}
	return false
}

// acceptsEmpty reports whether {} is a value of t, as far as can be seen.
func acceptsEmpty(t *typ, depth int) bool {
	if depth > maxTypeDepth {
		return false
	}
	switch t.kind {
	case kindUnknown:
		return true
	case kindNamed:
		if t.def.empty == nil {
			empty := acceptsEmpty(t.def.typ, depth+1)
			t.def.empty = &empty
		}
		return *t.def.empty
	case kindObject:
		for _, p := range t.props {
			if !p.optional {
				return false
			}
		}
		return true
	case kindUnion:
		for _, p := range t.parts {
			if acceptsEmpty(p, depth+1) {
				return true
			}
		}
	case kindIntersect:
		for _, p := range t.parts {
			if !acceptsEmpty(p, depth+1) {
				return false
			}
		}
		return true
	}
	return false
}
