package dispatch

import (
	"math"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
)

// Most schemas of tools have a handful of keywords, and most arguments fit. To
// see that takes the library some microseconds, of which nearly all goes into
// what it would need otherwise: plain schemas are looked at here first. Only the
// library says that something does not fit.

// isPlain reports whether a schema has no keywords but those that fits knows,
// and those that mean nothing for a value.
func isPlain(s *jsonschema.Schema) bool {
	if s == nil {
		return true
	}
	rest := *s
	// What fits knows.
	rest.Type, rest.Types, rest.Enum, rest.Required = "", nil, nil, nil
	rest.Minimum, rest.Maximum, rest.ExclusiveMinimum, rest.ExclusiveMaximum = nil, nil, nil, nil
	rest.MinLength, rest.MaxLength, rest.MinItems, rest.MaxItems = nil, nil, nil, nil
	rest.Items, rest.Properties, rest.AdditionalProperties, rest.AnyOf = nil, nil, nil, nil
	// What says nothing of a value, where nothing refers to it.
	rest.ID, rest.Schema, rest.Comment, rest.Anchor, rest.Defs, rest.Definitions, rest.Extra, rest.PropertyOrder = "", "", "", "", nil, nil, nil, nil
	rest.Title, rest.Description, rest.Default, rest.Examples, rest.Format = "", "", nil, nil, ""
	rest.Deprecated, rest.ReadOnly, rest.WriteOnly = false, false, false
	if !reflect.ValueOf(rest).IsZero() {
		return false
	}
	for _, v := range s.Enum {
		if _, ok := v.(string); !ok {
			return false
		}
	}
	for _, sub := range s.Properties {
		if !isPlain(sub) {
			return false
		}
	}
	return isPlain(s.Items) && (closed(s) || isPlain(s.AdditionalProperties)) && !slices.ContainsFunc(s.AnyOf, func(sub *jsonschema.Schema) bool { return !isPlain(sub) })
}

// fits reports that a value fits a plain schema. Where it says false the value
// may fit all the same.
func fits(s *jsonschema.Schema, v any) bool {
	if s.Type != "" && !isOf(v, s.Type) {
		return false
	}
	if s.Types != nil && !slices.ContainsFunc(s.Types, func(t string) bool { return isOf(v, t) }) {
		return false
	}
	if s.AnyOf != nil && !slices.ContainsFunc(s.AnyOf, func(sub *jsonschema.Schema) bool { return fits(sub, v) }) {
		return false
	}
	if s.Enum != nil {
		text, ok := v.(string)
		if !ok || !slices.ContainsFunc(s.Enum, func(x any) bool { return x == text }) {
			return false
		}
	}
	switch v := v.(type) {
	case string:
		if s.MinLength == nil && s.MaxLength == nil {
			return true
		}
		n := utf8.RuneCountInString(v)
		return (s.MinLength == nil || n >= *s.MinLength) && (s.MaxLength == nil || n <= *s.MaxLength)
	case float64:
		return (s.Minimum == nil || v >= *s.Minimum) && (s.Maximum == nil || v <= *s.Maximum) &&
			(s.ExclusiveMinimum == nil || v > *s.ExclusiveMinimum) && (s.ExclusiveMaximum == nil || v < *s.ExclusiveMaximum)
	case []any:
		if s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
			return false
		}
		return s.Items == nil || !slices.ContainsFunc(v, func(x any) bool { return !fits(s.Items, x) })
	case map[string]any:
		return fitsObject(s, v)
	}
	return true
}

func fitsObject(s *jsonschema.Schema, v map[string]any) bool {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return false
		}
	}
	for name, x := range v {
		sub := s.Properties[name]
		if sub == nil {
			if sub = s.AdditionalProperties; sub == nil {
				continue
			}
			if closed(s) {
				return false
			}
		}
		if !fits(sub, x) {
			return false
		}
	}
	return true
}

// isOf reports whether a value is of a type. What is integral is a number too.
func isOf(v any, typ string) bool {
	switch v := v.(type) {
	case nil:
		return typ == "null"
	case bool:
		return typ == "boolean"
	case string:
		return typ == "string"
	case float64:
		return typ == "number" || typ == "integer" && v == math.Trunc(v)
	case []any:
		return typ == "array"
	case map[string]any:
		return typ == "object"
	}
	return false
}
