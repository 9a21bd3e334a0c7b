package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The sections are structs with these tags:
//
//	toml     the key.
//	unit     "size": an int64 of bytes. Other fields are known by their type.
//	zero     the word for 0, which stands for -1 in the Config structs: "none".
//	neg      the word for -1: "unlimited".
//	enum     the words that a string can be.
//	max      the largest number.
//	expand   "text": ${NAME} is expanded; "secret": and what it expands to is a
//	         secret. Both on strings, lists and maps of strings.
//	feature  what must be there for the key to do something; of a section, for
//	         all keys in it.
//
// A key that is absent leaves the zero value. A bool that is on by default is
// a *bool.

// list is one string or several.
type list []string

var (
	durationType = reflect.TypeFor[time.Duration]()
	rateType     = reflect.TypeFor[Rate]()
	listType     = reflect.TypeFor[list]()
)

// decoder turns a tree into sections and gathers all that is wrong with it.
type decoder struct {
	file string
	tree *tree
	env  func(string) (string, bool)
	errs Errors
	// warnings are what is allowed and should be thought about.
	warnings []string
	secrets  map[string]bool
	used     map[Feature][]Use
	// raw leaves ${NAME} as it is, for Init.
	raw bool
	// off are the paths of servers that are not enabled: variables that are
	// not set are no error there.
	off []string
}

func (d *decoder) isOff(path string) bool {
	return slices.ContainsFunc(d.off, func(off string) bool { return path == off || strings.HasPrefix(path, off+".") })
}

// Use is a key that a file sets.
type Use struct {
	Key          string
	Line, Column int
}

func (u Use) String() string { return fmt.Sprintf("%s (line %d)", u.Key, u.Line) }

func newDecoder(file string, t *tree, env func(string) (string, bool)) *decoder {
	if env == nil {
		env = os.LookupEnv
	}
	return &decoder{file: file, tree: t, env: env, secrets: map[string]bool{}, used: map[Feature][]Use{}}
}

func (d *decoder) errorf(path, format string, args ...any) {
	p := d.tree.place(path)
	d.errs = append(d.errs, &Error{File: d.file, Line: p.line, Column: p.column, Key: path, Message: fmt.Sprintf(format, args...)})
}

// wrong reports whether something is wrong with the key already, so that what
// follows from it need not be told.
func (d *decoder) wrong(path string) bool {
	return slices.ContainsFunc(d.errs, func(e *Error) bool { return e.Key == path })
}

// err returns what was wrong, or nil.
func (d *decoder) err() error {
	if len(d.errs) == 0 {
		return nil
	}
	return d.errs.sorted()
}

func (d *decoder) use(f Feature, path string) {
	p := d.tree.place(path)
	d.used[f] = append(d.used[f], Use{path, p.line, p.column})
}

// section fills the struct v from a table.
func (d *decoder) section(path string, table map[string]any, v reflect.Value, feature Feature) {
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		fields[f.Tag.Get("toml")] = f
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		p := join(path, key)
		f, ok := fields[key]
		if !ok {
			d.unknown(p, key, slices.Sorted(maps.Keys(fields)))
			continue
		}
		feature := feature
		if own := f.Tag.Get("feature"); own != "" {
			feature = Feature(own)
		}
		if feature != "" && isLeaf(f.Type) {
			d.use(feature, p)
		}
		d.value(p, table[key], v.FieldByIndex(f.Index), f.Tag, feature)
	}
}

// isLeaf reports whether a field is a value and not a place for others: what
// is used is told by the values, or an empty section would count.
func isLeaf(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return t == rateType
	case reflect.Slice, reflect.Map:
		return isLeaf(t.Elem())
	}
	return true
}

func (d *decoder) unknown(path, key string, known []string) {
	if near := nearest(key, known); near != "" {
		d.errorf(path, "there is no such key: did you mean %s?", near)
		return
	}
	d.errorf(path, "there is no such key: here there can be %s", strings.Join(known, ", "))
}

func (d *decoder) value(path string, x any, v reflect.Value, tag reflect.StructTag, feature Feature) {
	switch {
	case v.Type() == durationType:
		d.duration(path, x, v, tag)
		return
	case v.Type() == rateType:
		s, ok := x.(string)
		r, err := parseRate(s)
		switch {
		case !ok || errors.Is(err, errRateForm):
			d.errorf(path, "is %s: %s", show(x), rateForm)
		case err != nil:
			d.errorf(path, "is %q: %v", s, err)
		default:
			v.Set(reflect.ValueOf(r))
		}
		return
	case v.Type() == listType:
		if s, ok := x.(string); ok {
			x = []any{s}
		}
	case tag.Get("unit") == "size":
		d.size(path, x, v, tag)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(path, x, p.Elem(), tag, feature)
		v.Set(p)
	case reflect.String:
		if s, ok := d.text(path, x, tag); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		b, ok := x.(bool)
		if !ok {
			d.errorf(path, "is %s: it can be true or false", show(x))
			return
		}
		v.SetBool(b)
	case reflect.Int:
		d.int(path, x, v, tag)
	case reflect.Slice:
		d.list(path, x, v, tag, feature)
	case reflect.Map:
		table, ok := x.(map[string]any)
		if !ok {
			d.errorf(path, "is %s: it must be a table", show(x))
			return
		}
		m := reflect.MakeMap(v.Type())
		for _, key := range slices.Sorted(maps.Keys(table)) {
			e := reflect.New(v.Type().Elem()).Elem()
			d.value(join(path, key), table[key], e, tag, feature)
			m.SetMapIndex(reflect.ValueOf(key), e)
		}
		v.Set(m)
	case reflect.Struct:
		table, ok := x.(map[string]any)
		if !ok {
			d.errorf(path, "is %s: it must be a table", show(x))
			return
		}
		d.section(path, table, v, feature)
	default:
		panic("config: a section has a field of type " + v.Type().String())
	}
}

func (d *decoder) list(path string, x any, v reflect.Value, tag reflect.StructTag, feature Feature) {
	items, ok := x.([]any)
	if !ok {
		what := "a list"
		if v.Type().Elem().Kind() == reflect.Struct {
			what = "a list of tables: write [[" + path + "]]"
		}
		d.errorf(path, "is %s: it must be %s", show(x), what)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.value(index(path, i), item, out.Index(i), tag, feature)
	}
	v.Set(out)
}

func (d *decoder) text(path string, x any, tag reflect.StructTag) (string, bool) {
	s, ok := x.(string)
	if !ok {
		d.errorf(path, "is %s: it must be a string, in quotes", show(x))
		return "", false
	}
	if words := tag.Get("enum"); words != "" {
		if all := strings.Split(words, ","); !slices.Contains(all, s) {
			d.errorf(path, "is %q: it can be %s", s, oneOf(all))
			return "", false
		}
	}
	if strings.IndexByte(s, 0) >= 0 {
		d.errorf(path, "has a NUL character")
		return "", false
	}
	if mode := tag.Get("expand"); mode != "" {
		return d.expand(path, s, mode == "secret"), true
	}
	return s, true
}

func (d *decoder) duration(path string, x any, v reflect.Value, tag reflect.StructTag) {
	s, ok := x.(string)
	if !ok {
		d.errorf(path, "is %s: %s%s", show(x), durationForm, words(tag))
		return
	}
	if n, ok := word(s, tag); ok {
		v.SetInt(n)
		return
	}
	n, err := parseDuration(s)
	switch {
	case err != nil:
		d.errorf(path, "is %q: %v%s", s, err, words(tag))
	case n < 0:
		d.errorf(path, "is %q: it cannot be negative%s", s, words(tag))
	case n == 0 && tag.Get("zero") == "":
		d.errorf(path, "is %q: it must be more than that%s", s, words(tag))
	case n == 0:
		v.SetInt(-1)
	default:
		v.SetInt(int64(n))
	}
}

func (d *decoder) size(path string, x any, v reflect.Value, tag reflect.StructTag) {
	s, ok := x.(string)
	if !ok {
		d.errorf(path, "is %s: %s%s", show(x), sizeForm, words(tag))
		return
	}
	if n, ok := word(s, tag); ok {
		v.SetInt(n)
		return
	}
	n, err := parseSize(s)
	switch {
	case err != nil:
		d.errorf(path, "is %q: %v%s", s, err, words(tag))
	case n == 0:
		d.errorf(path, "is %q: it must be more than that%s", s, words(tag))
	default:
		v.SetInt(n)
	}
}

func (d *decoder) int(path string, x any, v reflect.Value, tag reflect.StructTag) {
	if s, ok := x.(string); ok {
		if n, ok := word(s, tag); ok {
			v.SetInt(n)
			return
		}
		if n, err := strconv.ParseInt(s, 10, 32); err == nil { // then it is no secret
			least := 1
			if tag.Get("zero") != "" {
				least = 0
			}
			d.errorf(path, "is %q, in quotes: it must be a whole number of at least %d, without quotes%s", strconv.FormatInt(n, 10), least, words(tag))
			return
		}
	}
	n, ok := x.(int64)
	switch {
	case !ok:
		d.errorf(path, "is %s: it must be a whole number%s", show(x), words(tag))
	case n < 0 || n == 0 && tag.Get("zero") == "":
		d.errorf(path, "is %d: it must be more than %d%s", n, min(0, n), words(tag))
	case n > math.MaxInt32:
		d.errorf(path, "is %d: that is too many", n)
	case n == 0:
		v.SetInt(-1)
	default:
		v.SetInt(n)
	}
}

// word returns what a word that the key has stands for.
func word(s string, tag reflect.StructTag) (int64, bool) {
	return -1, s != "" && (s == tag.Get("zero") || s == tag.Get("neg"))
}

func words(tag reflect.StructTag) string {
	for _, name := range []string{"zero", "neg"} {
		if w := tag.Get(name); w != "" {
			return fmt.Sprintf(", or %q", w)
		}
	}
	return ""
}

func oneOf(all []string) string {
	quoted := make([]string, len(all))
	for i, w := range all {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}

// show names a value by its type, and shows it where it cannot be a secret.
func show(x any) string {
	switch x := x.(type) {
	case string:
		return "a string"
	case int64:
		return fmt.Sprintf("the number %d", x)
	case float64:
		return fmt.Sprintf("the number %v", x)
	case bool:
		return fmt.Sprint(x)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	case nil:
		return "null"
	}
	return "a date"
}
