package catalog

import (
	"strconv"
	"strings"
)

// names gives the named types of a declaration their names, and holds their
// text. Tools of one server often bring the same types: those are written once.
type names struct {
	b     strings.Builder
	taken map[string]string // name to the text of its type
	size  int
}

// maxNamedSize is how long the named types of a declaration may be together.
const maxNamedSize = 256 << 10

func newNames() *names {
	n := &names{taken: map[string]string{}}
	// What the language, the sandbox or we ourselves mean something by. No text
	// of a type is empty, so none is shared with these.
	for word := range strings.FieldsSeq(`
		any unknown never void null undefined string number boolean bigint symbol object true false this
		abstract as async await break case catch class const continue debugger declare default delete do else enum export extends
		finally for from function get if implements import in infer instanceof interface is keyof let module namespace new of package
		private protected public readonly require return set static super switch throw try type typeof unique using var while with yield
		Array ArrayBuffer Atomics BigInt Boolean DataView Date Error Function Infinity Intl Iterator JSON Map Math NaN Number Object
		Promise Proxy RangeError ReadonlyArray Record Partial Required Pick Omit Exclude Extract Awaited ReferenceError Reflect RegExp Set
		String Symbol SyntaxError TypeError URIError EvalError AggregateError WeakMap WeakRef WeakSet Uint8Array
		CallOptions HostError TextDecoder TextEncoder URL URLSearchParams tools resources stash catalog console crypto forge codemode`) {
		n.taken[word] = ""
	}
	return n
}

// add names the definitions of a tool's schemas and writes the types. What it
// returns is to print the tool itself with.
func (n *names) add(schemas ...*schemaType) map[*def]string {
	local := map[*def]string{}
	var defs []*def
	for _, st := range schemas {
		if st != nil {
			defs = append(defs, st.defs...)
		}
	}
	if len(defs) == 0 {
		return nil
	}
	// First all have the names that they would like. One whose text is there
	// already under its name is the same type, unless it refers to one that is
	// not: that one clashes, and gets another name, and so must this.
	own := map[string]*def{} // the first of this tool with a name
	text := map[*def]string{}
	for _, d := range defs {
		if local[d] = d.name; d.name == "" {
			local[d] = "Type"
		}
	}
	clash, shared := map[*def]bool{}, map[*def]bool{}
	first := map[*def]*def{}
	for _, d := range defs {
		name := local[d]
		text[d] = n.text(d, local)
		if known, ok := n.taken[name]; ok {
			shared[d] = known == text[d]
			clash[d] = !shared[d]
		} else if e := own[name]; e == nil {
			own[name] = d
		} else if text[e] == text[d] {
			first[d] = e
		} else {
			clash[d] = true
		}
	}
	for again := len(clash) > 0; again; {
		again = false
		for _, d := range defs {
			e := first[d]
			if !clash[d] && (shared[d] || e != nil) && (refers(d.typ, clash) || e != nil && refers(e.typ, clash)) {
				clash[d], again = true, true
			}
		}
	}
	var fresh []*def
	for _, d := range defs {
		switch {
		case clash[d]:
			local[d] = n.free(local[d], own)
			own[local[d]] = d
		case shared[d] || first[d] != nil:
			continue
		}
		fresh = append(fresh, d)
	}
	for _, d := range fresh {
		if n.size > maxNamedSize {
			// Too much: the type is used, so it must be something.
			n.write(local[d], "unknown /* larger than can be shown */", "")
			continue
		}
		n.write(local[d], n.text(d, local), d.typ.doc)
	}
	return local
}

func (n *names) write(name, text, doc string) {
	n.taken[name] = text
	if doc != "" {
		n.size += len(doc)
		n.b.WriteString("/** " + comment(doc) + " */\n")
	}
	s := "type " + name + " = " + text + ";\n"
	n.size += len(s)
	n.b.WriteString(s)
}

// free returns a name that neither the declaration nor the tool has.
func (n *names) free(name string, own map[string]*def) string {
	for i := 2; ; i++ {
		s := name + strconv.Itoa(i)
		if _, ok := n.taken[s]; !ok && own[s] == nil {
			return s
		}
	}
}

func (n *names) text(d *def, local map[*def]string) string {
	for _, depth := range []int{maxTypeDepth, 4, 1} {
		p := printer{limit: declareTool, docs: depth == maxTypeDepth, depth: depth, most: maxProperties, literals: maxLiterals, names: local}
		p.typ(d.typ, loose, 0, 0)
		if !p.over {
			return p.b.String()
		}
	}
	return "unknown /* larger than can be shown */"
}

// refers reports whether t refers to a definition of the set, through those
// that stand without a name too.
func refers(t *typ, set map[*def]bool) bool {
	if t.kind == kindNamed {
		if !t.def.inline {
			return set[t.def]
		}
		return refers(t.def.typ, set)
	}
	found := false
	t.each(func(u *typ) { found = found || refers(u, set) })
	return found
}
