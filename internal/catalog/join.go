package catalog

import "slices"

func word(s string) *typ { return &typ{kind: kindWord, text: s} }

// union joins types. One that is unknown makes all of it unknown.
func union(types []*typ) *typ {
	var parts []*typ
	null := false
	for _, t := range flat(kindUnion, types) {
		switch {
		case t.kind == kindUnknown:
			return t
		case t.kind == kindWord && t.text == "null":
			null = true
		case t.kind == kindWord && t.text == "never", slices.ContainsFunc(parts, t.same):
		default:
			parts = append(parts, t)
		}
	}
	if null {
		parts = append(parts, word("null"))
	}
	switch len(parts) {
	case 0:
		return word("never")
	case 1:
		return parts[0]
	}
	return &typ{kind: kindUnion, parts: parts}
}

// intersect joins types that must all hold. Two plain objects become one.
func intersect(types []*typ) *typ {
	var parts []*typ
	cut := false
	for _, t := range flat(kindIntersect, types) {
		switch {
		case t.kind == kindUnknown:
			cut = cut || t.cut
			continue
		case slices.ContainsFunc(parts, t.same):
			continue
		}
		if n := len(parts) - 1; n >= 0 {
			if merged := merge(parts[n], t); merged != nil {
				parts[n] = merged
				continue
			}
		}
		parts = append(parts, t)
	}
	switch len(parts) {
	case 0:
		return &typ{cut: cut}
	case 1:
		return parts[0]
	}
	return &typ{kind: kindIntersect, parts: parts}
}

// merge returns the object that has the properties of both, nil where that
// would not be the same as their intersection.
func merge(a, b *typ) *typ {
	if a.kind != kindObject || b.kind != kindObject || a.rest != nil || b.rest != nil || len(a.props)+len(b.props) > maxProperties {
		return nil
	}
	t := &typ{kind: kindObject, props: slices.Clone(a.props)}
	for _, p := range b.props {
		i := slices.IndexFunc(a.props, func(q prop) bool { return q.name == p.name })
		switch {
		case i < 0:
			t.props = append(t.props, p)
		case p.typ.kind == kindUnknown: // it is only required here
			t.props[i].optional = t.props[i].optional && p.optional
		default:
			return nil
		}
	}
	return t
}

// flat opens the parts that are of the kind themselves.
func flat(k kind, types []*typ) []*typ {
	var out []*typ
	for _, t := range types {
		if t.kind == k {
			out = append(out, t.parts...)
		} else {
			out = append(out, t)
		}
	}
	return out
}

// same reports whether two types without inner structure are one.
func (t *typ) same(u *typ) bool {
	if t.kind != u.kind {
		return false
	}
	switch t.kind {
	case kindWord, kindLiteral:
		return t.text == u.text
	case kindNamed:
		return t.def == u.def
	}
	return false
}

// each visits the types directly below t.
func (t *typ) each(visit func(*typ)) {
	for _, p := range t.parts {
		visit(p)
	}
	for _, p := range t.props {
		visit(p.typ)
	}
	if t.rest != nil {
		visit(t.rest)
	}
}
