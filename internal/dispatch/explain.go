package dispatch

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/autoclave-run/autoclave/internal/catalog"
)

// What an explanation has at most: more helps nobody to mend the first.
const (
	maxFaults  = 5
	maxFault   = 1000 // bytes
	maxDescent = 64
	// maxCompared is how many elements are compared with each other.
	maxCompared = 200
	// maxExplained is how many subschemas are looked at: alternatives within
	// alternatives are as many as the server likes.
	maxExplained = 30_000
)

// explain says, in words that a model can act on, why value does not fit the
// schema: where, what was expected and what came. It is empty where it does not
// know: it reads the common keywords, and the library decides.
func explain(s *schema, value any) []string {
	left := maxExplained
	e := explainer{at: s.at, left: &left}
	e.check(s.root, value, "", 0)
	return e.faults
}

type explainer struct {
	at     map[string]*jsonschema.Schema // by JSON pointer
	left   *int
	faults []string
}

func (e *explainer) fault(format string, args ...any) {
	if len(e.faults) < maxFaults {
		e.faults = append(e.faults, clipTo(fmt.Sprintf(format, args...), maxFault))
	}
}

// named is the path as it begins a sentence.
func named(path string) string {
	if path == "" {
		return "the argument"
	}
	return path
}

func (e *explainer) check(s *jsonschema.Schema, v any, path string, depth int) {
	if *e.left--; s == nil || *e.left < 0 || depth > maxDescent || len(e.faults) >= maxFaults {
		return
	}
	if s.Ref != "" {
		e.check(e.follow(s.Ref), v, path, depth+1)
	}
	if types := typesOf(s); len(types) > 0 && !fitsType(v, types) {
		e.fault("%s is %s: it must be %s%s", named(path), shown(v), kinds(types), uncoerced(v, types))
		return
	}
	switch {
	case s.Enum != nil && !slices.ContainsFunc(s.Enum, func(x any) bool { return reflect.DeepEqual(x, v) }):
		e.fault("%s is %s: it must be %s%s", named(path), shown(v), oneOf(s.Enum), nearValue(v, s.Enum))
		return
	case s.Const != nil && !reflect.DeepEqual(*s.Const, v):
		e.fault("%s is %s: it must be %s", named(path), shown(v), oneOf([]any{*s.Const}))
		return
	}
	for _, sub := range s.AllOf {
		e.check(sub, v, path, depth+1)
	}
	e.alternatives(s.AnyOf, v, path, depth)
	e.alternatives(s.OneOf, v, path, depth)
	switch v := v.(type) {
	case map[string]any:
		e.object(s, v, path, depth)
	case []any:
		e.array(s, v, path, depth)
	case string:
		e.text(s, v, path)
	case float64:
		e.number(s, v, path)
	}
}

// alternatives explains the one that fits best where none fits.
func (e *explainer) alternatives(subs []*jsonschema.Schema, v any, path string, depth int) {
	var best []string
	for _, sub := range subs {
		a := explainer{at: e.at, left: e.left}
		a.check(sub, v, path, depth+1)
		if len(a.faults) == 0 {
			return
		}
		if best == nil || len(a.faults) < len(best) {
			best = a.faults
		}
	}
	switch len(subs) {
	case 0:
	case 1:
		e.fault("%s", strings.Join(best, ", and "))
	default:
		e.fault("%s fits none of %d alternatives; of the nearest, %s", named(path), len(subs), strings.Join(best, ", and "))
	}
}

func (e *explainer) object(s *jsonschema.Schema, v map[string]any, path string, depth int) {
	known := slices.Sorted(maps.Keys(s.Properties))
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		sub, ok := s.Properties[name]
		switch {
		case ok:
			e.check(sub, v[name], member(path, name), depth+1)
		case closed(s) && len(s.PatternProperties) == 0:
			unknown = append(unknown, name)
		case s.AdditionalProperties != nil && len(s.PatternProperties) == 0:
			e.check(s.AdditionalProperties, v[name], member(path, name), depth+1)
		}
	}
	missing := slices.DeleteFunc(slices.Clone(s.Required), func(name string) bool { _, ok := v[name]; return ok })
	for _, name := range unknown {
		// What is missing is meant sooner than what is there already.
		near := append(catalog.Nearest(name, missing), catalog.Nearest(name, known)...)
		if len(near) > 0 {
			e.fault("%s is no property%s: did you mean %q?", member(path, clip(name)), of(path), near[0])
			missing = slices.DeleteFunc(missing, func(m string) bool { return m == near[0] })
			continue
		}
		e.fault("%s is no property%s: there are %s", member(path, clip(name)), of(path), orNone(known))
	}
	for _, name := range missing {
		what := ""
		if sub := e.deref(s.Properties[name]); sub != nil {
			if types := typesOf(sub); len(types) > 0 {
				what = ": it must be " + kinds(types)
			} else if len(sub.Enum) > 0 {
				what = ": it must be " + oneOf(sub.Enum)
			}
		}
		e.fault("%s is missing%s", member(path, name), what)
	}
	for _, name := range slices.Sorted(maps.Keys(s.DependentRequired)) {
		for _, other := range s.DependentRequired[name] {
			_, has := v[name]
			if _, ok := v[other]; has && !ok {
				e.fault("%s is missing: it goes with %s", member(path, other), member(path, name))
			}
		}
	}
	if s.MinProperties != nil && len(v) < *s.MinProperties {
		e.fault("%s has %d properties: %d are the fewest", named(path), len(v), *s.MinProperties)
	}
	if s.MaxProperties != nil && len(v) > *s.MaxProperties {
		e.fault("%s has %d properties: %d are the most", named(path), len(v), *s.MaxProperties)
	}
}

func (e *explainer) array(s *jsonschema.Schema, v []any, path string, depth int) {
	if s.MinItems != nil && len(v) < *s.MinItems {
		e.fault("%s has %d elements: %d are the fewest", named(path), len(v), *s.MinItems)
	}
	if s.MaxItems != nil && len(v) > *s.MaxItems {
		e.fault("%s has %d elements: %d are the most", named(path), len(v), *s.MaxItems)
	}
	if s.UniqueItems && len(v) <= maxCompared {
		e.twice(v, path)
	}
	for i, x := range v {
		sub := s.Items
		if i < len(s.PrefixItems) {
			sub = s.PrefixItems[i]
		}
		e.check(sub, x, path+"["+strconv.Itoa(i)+"]", depth+1)
	}
}

// twice names two elements that are equal.
func (e *explainer) twice(v []any, path string) {
	for i, x := range v {
		for j, y := range v[:i] {
			if reflect.DeepEqual(x, y) {
				e.fault("%s[%d] and %s[%d] are equal: no two elements may be", path, j, path, i)
				return
			}
		}
	}
}

func (e *explainer) text(s *jsonschema.Schema, v, path string) {
	n := utf8.RuneCountInString(v)
	switch {
	case s.MinLength != nil && n < *s.MinLength:
		e.fault("%s has %d characters: %d are the fewest", named(path), n, *s.MinLength)
	case s.MaxLength != nil && n > *s.MaxLength:
		e.fault("%s has %d characters: %d are the most", named(path), n, *s.MaxLength)
	case s.Pattern != "":
		// The library has compiled it, and keeps it to itself.
		if re, err := regexp.Compile(s.Pattern); err == nil && !re.MatchString(v) {
			e.fault("%s is %s: it must match the pattern %s", named(path), shown(v), clip(s.Pattern))
		}
	}
}

func (e *explainer) number(s *jsonschema.Schema, v float64, path string) {
	for _, b := range []struct {
		bound *float64
		wrong func(bound float64) bool
		words string
	}{
		{s.Minimum, func(b float64) bool { return v < b }, "at least"},
		{s.Maximum, func(b float64) bool { return v > b }, "at most"},
		{s.ExclusiveMinimum, func(b float64) bool { return v <= b }, "more than"},
		{s.ExclusiveMaximum, func(b float64) bool { return v >= b }, "less than"},
	} {
		if b.bound != nil && b.wrong(*b.bound) {
			e.fault("%s is %s: it must be %s %v", named(path), shown(v), b.words, *b.bound)
		}
	}
	if m := s.MultipleOf; m != nil {
		if _, rest := math.Modf(v / *m); rest != 0 {
			e.fault("%s is %s: it must be a multiple of %v", named(path), shown(v), *m)
		}
	}
}

func (e *explainer) follow(ref string) *jsonschema.Schema { return referent(e.at, ref) }

func (e *explainer) deref(s *jsonschema.Schema) *jsonschema.Schema {
	for range maxDescent {
		if s == nil || s.Ref == "" {
			break
		}
		s = e.follow(s.Ref)
	}
	return s
}

func typesOf(s *jsonschema.Schema) []string {
	if s.Type != "" {
		return []string{s.Type}
	}
	return s.Types
}

func fitsType(v any, types []string) bool {
	got := typeOf(v)
	return slices.Contains(types, got) || got == "integer" && slices.Contains(types, "number")
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) && !math.IsInf(v, 0) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// closed reports whether a schema has no other properties than those it names.
func closed(s *jsonschema.Schema) bool {
	a := s.AdditionalProperties
	return a != nil && a.Not != nil && reflect.ValueOf(a.Not).Elem().IsZero()
}

func member(path, name string) string {
	plain := name != ""
	for i, c := range name {
		plain = plain && (c == '_' || c == '$' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && '0' <= c && c <= '9')
	}
	switch {
	case !plain:
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

func of(path string) string {
	if path == "" {
		return ""
	}
	return " of " + path
}

func kinds(types []string) string {
	named := make([]string, len(types))
	for i, t := range types {
		switch t {
		case "integer", "array", "object":
			named[i] = "an " + t
		case "null":
			named[i] = t
		default:
			named[i] = "a " + clip(t)
		}
	}
	return strings.Join(named, " or ")
}

// shown is a value as far as it says something, with its type where that is
// not plain.
func shown(v any) string {
	const limit = 60
	switch v := v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	case string:
		if utf8.RuneCountInString(v) > limit {
			return "a string of " + strconv.Itoa(utf8.RuneCountInString(v)) + " characters"
		}
		return "the string " + strconv.Quote(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// uncoerced shows what would have fitted, where only the type is wrong.
func uncoerced(v any, types []string) string {
	s, ok := v.(string)
	if !ok {
		if slices.Contains(types, "string") && (typeOf(v) == "integer" || typeOf(v) == "number") {
			return fmt.Sprintf(", so %q", shown(v))
		}
		return ""
	}
	var x any
	if len(s) < 60 && json.Unmarshal([]byte(s), &x) == nil && fitsType(x, types) {
		return ", so " + s + " without quotes"
	}
	return ""
}

func oneOf(values []any) string {
	const limit = 12
	var all []string
	for i, v := range values {
		if i == limit {
			all = append(all, fmt.Sprintf("one of %d more", len(values)-limit))
			break
		}
		b, err := json.Marshal(v)
		if err != nil {
			b = []byte(fmt.Sprint(v))
		}
		all = append(all, clip(string(b)))
	}
	switch len(all) {
	case 0:
		return "nothing: it takes no value at all"
	case 1:
		return all[0]
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

func nearValue(v any, values []any) string {
	s, ok := v.(string)
	if !ok {
		return ""
	}
	var names []string
	for _, x := range values {
		if name, ok := x.(string); ok {
			names = append(names, name)
		}
	}
	if near := catalog.Nearest(s, names); len(near) > 0 && len(names) > 3 {
		return fmt.Sprintf(": did you mean %q?", near[0])
	}
	return ""
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return enumerate(names, 12)
}
