package catalog

import (
	"math/big"
	"strings"
)

// document returns what a schema says of its values beyond their type: its
// description, and its constraints in words. What a part of t says is taken
// over where t stands for that part.
func (c *converter) document(v *value, t *typ) (doc, limit string) {
	if doc = OneLine(v.get("description").str(), argumentLength); doc == "" {
		doc = OneLine(v.get("title").str(), 100)
	}
	if doc == "" {
		doc = t.doc
	}
	limits := c.constraints(v, strings.Contains(strings.ToLower(doc), "default"))
	inherit := func(prefix string, from *typ) {
		if from.limit != "" && len(limits) < 12 {
			limits = append(limits, prefix+from.limit)
		}
	}
	switch t.kind {
	case kindUnion:
		for _, p := range t.parts {
			inherit("", p)
		}
	case kindArray:
		if t.rest.kind != kindObject && t.rest.doc != "" && len(t.rest.doc) < 200 {
			limits = append(limits, "each: "+t.rest.doc)
		}
		inherit("each ", t.rest)
	}
	if t.limit != "" && len(limits) == 0 {
		limits = []string{t.limit}
	}
	return doc, cut(strings.Join(limits, "; "), argumentLength)
}

// constraints returns a schema's constraints in words. told says that the
// description gives the default already.
func (c *converter) constraints(v *value, told bool) []string {
	var out []string
	add := func(s string) { out = append(out, s) }
	text := func(key, before string) {
		if s := OneLine(v.get(key).str(), 100); s != "" {
			add(before + s)
		}
	}
	if !c.result && typeIs(v, "integer") {
		add("integer")
	}
	text("format", "")
	text("contentEncoding", "")
	text("contentMediaType", "")
	if s := numbers(v); s != "" {
		add(s)
	}
	if n := v.get("multipleOf").num(); n != "" {
		add("a multiple of " + short(n))
	}
	for _, r := range [...]struct{ least, most, of string }{
		{"minLength", "maxLength", "characters"}, {"minItems", "maxItems", "items"}, {"minProperties", "maxProperties", "keys"},
	} {
		if s := span(short(v.get(r.least).num()), short(v.get(r.most).num())); s != "" {
			if strings.HasSuffix(s, " 1") {
				r.of = strings.TrimSuffix(r.of, "s")
			}
			add(s + " " + r.of)
		}
	}
	if v.get("uniqueItems").is('t') {
		add("no two alike")
	}
	text("pattern", "matches ")
	if names := v.get("propertyNames"); names.is('{') {
		if s := OneLine(names.get("pattern").str(), 100); s != "" {
			add("keys match " + s)
		} else if names.get("enum").is('[') {
			add("keys of " + OneLine(names.get("enum").literal(100), 120))
		}
	}
	if patterns := v.get("patternProperties"); patterns.is('{') && len(patterns.keys) > 0 {
		add("keys match " + OneLine(patterns.keys[0], 100))
	}
	if d := v.get("default"); d != nil && !told && !d.is('n') {
		add("default " + OneLine(d.literal(80), 100))
	}
	if list := v.get("examples").list(); len(list) > 0 {
		add("e.g. " + OneLine(list[0].literal(80), 100))
	} else if e := v.get("example"); e != nil {
		add("e.g. " + OneLine(e.literal(80), 100))
	}
	if not := v.get("not"); not.is('{') && len(not.keys) > 0 {
		add("not " + OneLine(not.literal(80), 100))
	}
	if v.has("if", "dependentRequired", "dependentSchemas", "dependencies", "contains", "unevaluatedProperties") {
		add("further conditions apply")
	}
	for _, key := range []string{"deprecated", "readOnly", "writeOnly"} {
		if v.get(key).is('t') {
			add(map[string]string{"deprecated": "deprecated", "readOnly": "read-only", "writeOnly": "write-only"}[key])
		}
	}
	return out
}

func typeIs(v *value, name string) bool {
	t := v.get("type")
	if t.str() == name {
		return true
	}
	for i, item := range t.list() {
		if i < 8 && item.str() == name {
			return true
		}
	}
	return false
}

// numbers says between what a number must lie. The bounds that generators give
// every integer (of 32, 53 and 64 bits) say nothing.
func numbers(v *value) string {
	strict := false
	bound := func(key, exclusive, sign string) string {
		n, e := short(v.get(key).num()), v.get(exclusive)
		switch {
		case e.num() != "":
			n = short(e.num())
		case e.is('t'): // draft-04
		default:
			sign = ""
		}
		if n == "" || strings.Contains("|9007199254740991|9007199254740992|2147483647|2147483648|9223372036854775807|9223372036854775808|", "|"+strings.TrimPrefix(n, "-")+"|") {
			return ""
		}
		strict = strict || sign != ""
		return sign + n
	}
	least, most := bound("minimum", "exclusiveMinimum", "over "), bound("maximum", "exclusiveMaximum", "under ")
	switch {
	case strict && least != "" && most != "":
		if !strings.HasPrefix(least, "over ") {
			least = "at least " + least
		}
		if !strings.HasPrefix(most, "under ") {
			most = "at most " + most
		}
		return least + " and " + most
	case strict:
		return least + most
	case least == "0" && most == "":
		return "at least 0"
	}
	return span(least, most)
}

// span says "1 to 7", "at least 1", "at most 7" or nothing.
func span(least, most string) string {
	switch {
	case least != "" && least == most:
		return "exactly " + least
	case least != "" && most != "":
		return least + " to " + most
	case least == "0": // a count is never less
		return ""
	case least != "":
		return "at least " + least
	case most != "":
		return "at most " + most
	}
	return ""
}

// short returns a number's literal, with neither a hundred digits nor a
// pointless fraction.
func short(n string) string {
	n = strings.TrimSuffix(n, ".0")
	if len(n) > 24 {
		if f, _, err := big.ParseFloat(n, 10, 64, big.ToNearestEven); err == nil {
			return f.Text('g', 10)
		}
		return cut(n, 24)
	}
	return n
}
