package catalog

import (
	"sort"
	"strconv"
	"strings"
)

// printer writes types as TypeScript: on one line without documents, or
// indented with them.
type printer struct {
	b        strings.Builder
	limit    int  // bytes after which it gives up
	over     bool // it gave up
	line     bool // on one line
	docs     bool // with what the properties mean
	depth    int  // objects deeper than this are only "object"
	most     int  // properties of one object that are shown
	literals int  // literals of one union that are shown
	names    map[*def]string
	inside   []*def // being written without a name
	lost     bool   // something was not shown
}

func (p *printer) text(s string) {
	if p.b.Len()+len(s) > p.limit {
		p.over = true
		return
	}
	p.b.WriteString(s)
}

func (p *printer) indent(n int) {
	p.text("\n" + strings.Repeat("  ", n))
}

// precedence of what stands around a type.
const (
	loose   = iota
	inUnion // in a union: parentheses around nothing
	inBoth  // in an intersection: around a union
	inArray // before []: around both
)

// typ writes t. nest counts objects and arrays around it, tab the indentation.
func (p *printer) typ(t *typ, around, nest, tab int) {
	if p.over {
		return
	}
	switch t.kind {
	case kindUnknown:
		p.text("unknown")
		if t.cut {
			p.lost = true
		}
	case kindWord, kindLiteral:
		p.text(t.text)
	case kindNamed:
		p.named(t.def, around, nest, tab)
	case kindArray:
		if nest >= p.depth && t.rest.kind == kindObject {
			p.lost = true
			p.text("object[]")
			return
		}
		p.typ(t.rest, inArray, nest, tab)
		p.text("[]")
	case kindTuple:
		p.tuple(t, nest, tab)
	case kindObject:
		p.object(t, nest, tab)
	case kindUnion:
		p.join(t.parts, " | ", inUnion, around > inUnion, nest, tab)
	case kindIntersect:
		p.join(t.parts, " & ", inBoth, around == inArray, nest, tab)
	}
}

func (p *printer) join(parts []*typ, by string, inner int, parens bool, nest, tab int) {
	if parens {
		p.text("(")
	}
	seen, skipped, written := 0, 0, 0
	for _, part := range parts {
		if p.over {
			return
		}
		if part.kind == kindLiteral {
			if seen++; inner == inUnion && seen > p.literals {
				skipped++
				continue
			}
		}
		if written > 0 {
			p.text(by)
		}
		written++
		if p.docs && inner == inUnion && part.kind == kindObject && part.doc != "" {
			p.text("/** " + comment(part.doc) + " */ ")
		}
		p.typ(part, inner, nest, tab)
	}
	if skipped > 0 {
		p.lost = true
		word := " | string"
		if parts[0].kind != kindLiteral || parts[0].text[0] != '"' {
			word = " | unknown"
		}
		p.text(word + " /* " + strconv.Itoa(skipped) + " more */")
	}
	if parens {
		p.text(")")
	}
}

func (p *printer) named(d *def, around, nest, tab int) {
	if name, ok := p.names[d]; ok && !d.inline {
		p.text(name)
		return
	}
	for _, outer := range p.inside {
		if outer == d {
			p.lost = true
			p.text("object")
			return
		}
	}
	if len(p.inside) >= maxTypeDepth {
		p.lost = true
		p.text("unknown")
		return
	}
	p.inside = append(p.inside, d)
	p.typ(d.typ, around, nest, tab)
	p.inside = p.inside[:len(p.inside)-1]
}

func (p *printer) tuple(t *typ, nest, tab int) {
	if nest >= p.depth {
		p.lost = true
		p.text("unknown[]")
		return
	}
	p.text("[")
	for i, part := range t.parts {
		if i > 0 {
			p.text(", ")
		}
		if i < t.min {
			p.typ(part, loose, nest+1, tab)
		} else {
			p.typ(part, inArray, nest+1, tab)
			p.text("?")
		}
	}
	if t.rest != nil {
		if len(t.parts) > 0 {
			p.text(", ")
		}
		p.text("...")
		p.typ(t.rest, inArray, nest+1, tab)
		p.text("[]")
	}
	p.text("]")
}

func (p *printer) object(t *typ, nest, tab int) {
	if len(t.props) == 0 {
		switch {
		case t.rest == nil:
			p.text("{}")
		case nest >= p.depth:
			p.text("object")
		default:
			p.text("{ [key: string]: ")
			p.typ(t.rest, loose, nest+1, tab)
			p.text(" }")
		}
		return
	}
	if nest >= p.depth {
		p.lost = true
		p.text("object")
		return
	}
	props := t.props
	if p.line {
		// Short of room, what must be given comes first.
		if len(props) > p.most {
			props = append([]prop(nil), props...)
			sort.SliceStable(props, func(i, j int) bool { return !props[i].optional && props[j].optional })
		}
	}
	hidden := len(props) - p.most
	if hidden > 0 {
		props = props[:p.most]
		p.lost = true
	}
	// Objects of objects on few lines would not be read; one of three words
	// needs no line each.
	flat := p.line || !p.tall(t)
	p.text("{")
	for i, prop := range props {
		if p.over {
			return
		}
		if flat {
			p.text(" ")
		} else {
			if doc := p.doc(prop.typ); doc != "" {
				p.indent(tab + 1)
				p.text("/** " + comment(doc) + " */")
			}
			p.indent(tab + 1)
		}
		p.text(property(prop.name))
		if prop.optional {
			p.text("?")
		}
		p.text(": ")
		p.typ(prop.typ, loose, nest+1, tab+1)
		if !flat || i < len(props)-1 || hidden > 0 || t.rest != nil && !(p.line && t.rest.kind == kindUnknown) {
			p.text(";")
		}
	}
	if t.rest != nil && !(p.line && t.rest.kind == kindUnknown) {
		// A signature must fit the properties too, so it is wide; their
		// document names the type.
		p.gap(flat, tab)
		p.text("[key: string]: unknown")
		if !flat {
			p.text(";")
		}
	}
	if hidden > 0 {
		p.gap(flat, tab)
		p.text("/* " + strconv.Itoa(hidden) + " more */")
	}
	if flat {
		p.text(" }")
	} else {
		p.indent(tab)
		p.text("}")
	}
}

func (p *printer) gap(flat bool, tab int) {
	if flat {
		p.text(" ")
	} else {
		p.indent(tab + 1)
	}
}

// maxFlat is how long an object on one line may be, in bytes.
const maxFlat = 90

// tall reports whether an object is written on several lines.
func (p *printer) tall(t *typ) bool {
	if len(t.props) > 6 || p.docs && p.documented(t, 0) {
		return true
	}
	flat := printer{limit: maxFlat, line: true, depth: p.depth, most: p.most, literals: p.literals, names: p.names, inside: p.inside}
	flat.object(t, 0, 0)
	return flat.over
}

// documented reports whether anything in t has a document to show.
func (p *printer) documented(t *typ, depth int) bool {
	if depth > maxTypeDepth {
		return true
	}
	for _, prop := range t.props {
		if p.doc(prop.typ) != "" {
			return true
		}
	}
	if t.kind == kindNamed && t.def.inline {
		return p.documented(t.def.typ, depth+1)
	}
	found := false
	t.each(func(u *typ) { found = found || p.documented(u, depth+1) })
	return found
}

// doc returns what stands above a property.
func (p *printer) doc(t *typ) string {
	if !p.docs {
		return ""
	}
	doc, limit := t.doc, t.limit
	if t.kind == kindNamed && t.def.inline {
		if doc == "" {
			doc = t.def.typ.doc
		}
		if limit == "" {
			limit = t.def.typ.limit
		}
	}
	for t.kind == kindNamed && t.def.inline {
		t = t.def.typ
	}
	if t.kind == kindObject && len(t.props) > 0 && t.rest != nil && t.rest.kind != kindUnknown {
		if limit != "" {
			limit += "; "
		}
		limit += "other keys: " + compact(t.rest, 80)
	}
	return sentence(doc, limit)
}

// sentence joins a description and constraints.
func sentence(doc, limit string) string {
	switch {
	case limit == "":
		return doc
	case doc == "":
		return limit
	}
	return doc + " (" + limit + ")"
}

// comment makes s fit to stand in a comment on one line.
func comment(s string) string { return strings.ReplaceAll(s, "*/", "* /") }

// compact returns t on one line of at most max bytes: less and less of its depth
// and width is shown until it fits.
func compact(t *typ, max int) string {
	for _, step := range [...]struct{ depth, most, literals int }{
		{6, 40, 12}, {4, 24, 12}, {3, 20, 8}, {2, 16, 8}, {1, 16, 6}, {1, 8, 3}, {1, 4, 2},
	} {
		p := printer{limit: max, line: true, depth: step.depth, most: step.most, literals: step.literals}
		if p.typ(t, loose, 0, 0); !p.over {
			return p.b.String()
		}
	}
	if t.kind == kindObject {
		return "object"
	}
	return "unknown"
}
