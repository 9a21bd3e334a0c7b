package catalog

import (
	"math"
	"slices"
	"sort"
	"strings"
)

// How much a word counts by where it stands, and BM25's constants.
const (
	weightName        = 5.0
	weightTitle       = 2.0
	weightServer      = 1.0
	weightDescription = 1.5
	weightArgument    = 1.0
	weightArgumentDoc = 0.5

	saturation = 1.2  // k1
	lengthPart = 0.5  // b
	tail       = 0.15 // of the best score: less is no hit
	outdated   = 0.7  // of the score of a tool that says it is deprecated
	covered    = 0.6  // more for a tool whose whole name is in the query

	exactMatch  = 2000.0
	prefixMatch = 1000.0

	maxIndexed     = 1500 // words of one tool
	maxQueryWords  = 32
	maxExpansions  = 24 // words that begin with one of the query
	prefixDiscount = 0.4
)

type scored struct {
	tool  *tool
	score float64
}

// index finds tools by words.
type index struct {
	tools []*tool
	names []nameForms
	terms map[string][]posting
	vocab []string // the terms in order
}

type posting struct {
	tool int32
	freq float32 // weighted, and normalised by the length of the tool's text
}

// nameForms are the forms of a tool's name that a query is compared with.
type nameForms struct {
	joined string   // lower case, letters and digits only
	full   string   // the same after the server's name
	stems  []string // the name's words
}

func newIndex(tools []*tool) *index {
	ix := &index{tools: tools, names: make([]nameForms, len(tools)), terms: map[string][]posting{}}
	type document struct {
		freq   map[string]float64
		length float64
	}
	documents := make([]document, len(tools))
	total := 0.0
	for i, t := range tools {
		joined := string(comparable(t.Name))
		ix.names[i] = nameForms{joined, string(comparable(t.server.info.Name)) + joined, nameStems(t.Name)}
		d := document{freq: map[string]float64{}}
		left := maxIndexed
		add := func(text string, weight float64, name bool) {
			all := stems(text, left)
			if name {
				all = nameStems(text)
			}
			left = max(0, left-len(all))
			for _, w := range all {
				d.freq[w] += weight
				d.length += weight
			}
		}
		add(t.Name, weightName, true)
		add(t.Title, weightTitle, false)
		add(t.server.info.Name, weightServer, true)
		add(t.Description, weightDescription, false)
		if t.input != nil {
			t.input.words(func(name, doc string) {
				add(name, weightArgument, true)
				add(doc, weightArgumentDoc, false)
			})
		}
		documents[i] = d
		total += d.length
	}
	average := max(1, total/max(1, float64(len(tools))))
	for i, d := range documents {
		norm := 1 - lengthPart + lengthPart*d.length/average
		for w, f := range d.freq {
			ix.terms[w] = append(ix.terms[w], posting{int32(i), float32(f / norm)})
		}
	}
	for w := range ix.terms {
		ix.vocab = append(ix.vocab, w)
	}
	sort.Strings(ix.vocab)
	return ix
}

func nameStems(name string) []string {
	all := words(cutBytes(name, MaxName))
	for i, w := range all {
		all[i] = stem(w)
	}
	return all
}

// words visits the names and documents of a schema's properties.
func (st *schemaType) words(visit func(name, doc string)) {
	left := 300
	var walk func(t *typ)
	walk = func(t *typ) {
		if left--; left < 0 {
			return
		}
		for _, p := range t.props {
			visit(p.name, p.typ.doc)
		}
		if t.kind == kindLiteral && t.text[0] == '"' && len(t.text) < 40 {
			visit("", t.text)
		}
		if t.kind == kindNamed && t.def.inline {
			walk(t.def.typ)
		}
		t.each(walk)
	}
	walk(st.typ)
	for _, d := range st.defs {
		walk(d.typ)
	}
}

// search returns all tools that share a word with the text, or whose name
// begins with it, in the order of the index.
func (ix *index) search(text string, only *server) []scored {
	scores := make([]float64, len(ix.tools))
	query := stems(text, maxQueryWords)
	slices.Sort(query)
	query = slices.Compact(query)
	one := make([]float64, len(ix.tools)) // what the term at hand gives
	var touched []int32
	for _, w := range query {
		touched = touched[:0]
		exact := ix.terms[w]
		add := func(postings []posting, discount float64) {
			n := float64(len(ix.tools))
			idf := math.Log(1 + (n-float64(len(postings))+0.5)/(float64(len(postings))+0.5))
			for _, p := range postings {
				f := float64(p.freq)
				s := discount * idf * f * (saturation + 1) / (saturation + f)
				if one[p.tool] == 0 {
					touched = append(touched, p.tool)
				}
				one[p.tool] = max(one[p.tool], s)
			}
		}
		add(exact, 1)
		if len(w) >= 3 {
			start, found := slices.BinarySearch(ix.vocab, w)
			if found {
				start++
			}
			for i := start; i < len(ix.vocab) && i < start+maxExpansions && strings.HasPrefix(ix.vocab[i], w); i++ {
				add(ix.terms[ix.vocab[i]], prefixDiscount)
			}
		}
		for _, t := range touched {
			scores[t] += one[t]
			one[t] = 0
		}
	}
	ordered := stems(text, maxQueryWords)
	joined, short := string(comparable(text)), strings.Join(ordered, "")
	var found []scored
	for i, t := range ix.tools {
		if only != nil && t.server != only {
			continue
		}
		s := scores[i]
		if s > 0 && contained(ix.names[i].stems, query) {
			s *= 1 + covered
		}
		if t.deprecated {
			s *= outdated
		}
		if s += ix.names[i].match(joined, short, ordered); s > 0 {
			found = append(found, scored{t, s})
		}
	}
	return found
}

// match returns what the name gives when it is, or begins with, the query.
func (n *nameForms) match(joined, short string, query []string) float64 {
	switch {
	case joined == "":
		return 0
	case n.joined == joined || n.full == joined || slices.Equal(n.stems, query):
		return exactMatch
	case len(joined) >= 2 && (strings.HasPrefix(n.joined, joined) || strings.HasPrefix(n.full, joined) && len(joined) > len(n.full)-len(n.joined)),
		len(short) >= 2 && strings.HasPrefix(strings.Join(n.stems, ""), short):
		return prefixMatch
	}
	return 0
}

// contained reports whether all of the words are in the sorted query.
func contained(words, query []string) bool {
	for _, w := range words {
		if _, ok := slices.BinarySearch(query, w); !ok {
			return false
		}
	}
	return len(words) > 0
}

// typical returns the best score that is not due to a name alone.
func (ix *index) typical(found []scored) float64 {
	best := 0.0
	for _, s := range found {
		for s.score >= prefixMatch {
			s.score -= prefixMatch
		}
		best = max(best, s.score)
	}
	return best
}
