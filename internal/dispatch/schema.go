package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// A server writes its tools' schemas and a program the arguments: neither may
// keep the host busy. What costs more than this is not validated here; the
// server has to refuse it.
const (
	// maxSchema is the largest schema, in bytes.
	maxSchema = 256 << 10
	// maxEffort is how many subschemas may apply to one value at once.
	maxEffort = 200
	// maxNesting is how deep a schema, or a value that is validated, may be.
	maxNesting = 100
	// maxWork is the most of bytes times effort: the library prints the value
	// into its errors, once for each alternative that does not fit.
	maxWork = 2 << 20
	// maxChecked is the largest result that is held against its schema, and
	// checkEvery how often that is done for one tool: it costs more than the
	// call, and only somebody who reads the log has anything of it.
	maxChecked = 256 << 10
	checkEvery = time.Second
)

// schema is a JSON Schema of a tool, read when it is first needed.
type schema struct {
	raw      json.RawMessage
	once     sync.Once
	resolved *jsonschema.Resolved // nil: it cannot be used
	root     *jsonschema.Schema
	effort   int
	problem  error // why it cannot be used
	checked  atomic.Int64
}

// schemas are those of a snapshot's tools.
type schemas struct{ input, output schema }

func (s *schema) read() {
	s.once.Do(func() {
		if len(s.raw) == 0 {
			s.problem = errors.New("there is none")
			return
		}
		s.problem = s.compile()
		if s.problem != nil {
			s.resolved = nil
		}
	})
}

func (s *schema) compile() (err error) {
	defer func() {
		if r := recover(); r != nil { // of a library that reads what a server wrote
			err = fmt.Errorf("reading it: %v", r)
		}
	}()
	if len(s.raw) > maxSchema {
		return fmt.Errorf("it has %d bytes, and %d is the most", len(s.raw), maxSchema)
	}
	if nesting(s.raw) > maxNesting {
		return fmt.Errorf("it is nested more than %d deep", maxNesting)
	}
	var tree any
	if err := json.Unmarshal(s.raw, &tree); err != nil {
		return err
	}
	if s.effort, err = effortOf(tree); err != nil {
		return err
	}
	var root jsonschema.Schema
	if err := json.Unmarshal(s.raw, &root); err != nil {
		return err
	}
	if s.resolved, err = root.Resolve(nil); err != nil { // it loads nothing
		return err
	}
	s.root = &root
	return nil
}

// violates decodes a JSON text and returns the value, and what is wrong with it
// or nil. That is nil too where the schema cannot be used, or not on this value.
func (s *schema) violates(raw json.RawMessage) (value any, err error) {
	s.read()
	if s.resolved == nil || len(raw)*s.effort > maxWork || nesting(raw) > maxNesting {
		return nil, nil
	}
	if json.Unmarshal(raw, &value) != nil {
		return nil, nil // a number beyond all bounds: the server may know what to do with it
	}
	defer func() {
		if r := recover(); r != nil {
			err = nil // of a library that holds a program's value against a server's schema
		}
	}()
	return value, s.resolved.Validate(value)
}

// nesting is how deep arrays and objects of a JSON text are nested.
func nesting(raw []byte) int {
	depth, most, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// due says whether a result is to be held against the schema now.
func (s *schema) due(now time.Time) bool {
	last := s.checked.Load()
	return now.UnixNano()-last >= int64(checkEvery) && s.checked.CompareAndSwap(last, now.UnixNano())
}

var (
	errCycle  = errors.New("it refers to itself without end")
	errEffort = fmt.Errorf("more than %d subschemas apply to one value", maxEffort)
	errRef    = errors.New("it refers to what is not in it by a JSON pointer")
)

// effortOf returns how many subschemas apply to one value at most. An error
// says why a schema must not be used: it would recurse without end, or take
// exponential time.
func effortOf(tree any) (int, error) {
	e := effort{root: tree, known: map[string]int{}, open: map[string]bool{}}
	return e.most(tree, "#")
}

type effort struct {
	root  any
	known map[string]int // by pointer
	open  map[string]bool
}

// inPlace are the keywords whose subschemas apply to the same value; below are
// those whose subschemas apply to what is in it.
var (
	inPlaceOne  = []string{"not", "if", "then", "else"}
	inPlaceList = []string{"allOf", "anyOf", "oneOf"}
	inPlaceMap  = []string{"dependentSchemas", "dependencies"}
	belowOne    = []string{"items", "additionalItems", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties"}
	belowList   = []string{"prefixItems", "items"}
	belowMap    = []string{"properties", "patternProperties", "$defs", "definitions"}
)

// most is the largest effort of the schema at a pointer and those in it.
func (e *effort) most(node any, at string) (int, error) {
	o, ok := node.(map[string]any)
	if !ok {
		return 1, nil
	}
	most, err := e.of(node, at)
	if err != nil {
		return 0, err
	}
	err = visit(o, at, append(inPlaceOne, belowOne...), append(inPlaceList, belowList...), append(inPlaceMap, belowMap...), func(sub any, at string) error {
		n, err := e.most(sub, at)
		most = max(most, n)
		return err
	})
	return most, err
}

// of is the effort of the schema at a pointer for one value.
func (e *effort) of(node any, at string) (int, error) {
	o, ok := node.(map[string]any)
	if !ok {
		return 1, nil
	}
	if n, ok := e.known[at]; ok {
		return n, nil
	}
	if e.open[at] {
		return 0, errCycle
	}
	e.open[at] = true
	defer delete(e.open, at)
	n := 1
	add := func(sub any, at string) error {
		m, err := e.of(sub, at)
		if n += m; err == nil && n > maxEffort {
			return errEffort
		}
		return err
	}
	for _, dynamic := range []string{"$dynamicRef", "$recursiveRef"} {
		if _, ok := o[dynamic]; ok {
			return 0, errRef
		}
	}
	if ref, ok := o["$ref"].(string); ok {
		sub, pointer, err := e.follow(ref)
		if err != nil {
			return 0, err
		}
		if err := add(sub, pointer); err != nil {
			return 0, err
		}
	}
	if patterns, ok := o["patternProperties"].(map[string]any); ok {
		n += len(patterns) // each is tried on every name
	}
	if err := visit(o, at, inPlaceOne, inPlaceList, inPlaceMap, add); err != nil {
		return 0, err
	}
	e.known[at] = n
	return n, nil
}

// follow resolves a reference within the schema, as far as it is a pointer.
func (e *effort) follow(ref string) (any, string, error) {
	node := e.root
	if ref == "#" {
		return node, "#", nil
	}
	rest, ok := cutPrefix(ref, "#/")
	if !ok {
		return nil, "", errRef
	}
	at := "#"
	for _, token := range split(rest) {
		switch n := node.(type) {
		case map[string]any:
			if node, ok = n[token]; !ok {
				return nil, "", errRef
			}
		case []any:
			i, err := index(token, len(n))
			if err != nil {
				return nil, "", errRef
			}
			node = n[i]
		default:
			return nil, "", errRef
		}
		at += "/" + escape(token)
	}
	return node, at, nil
}
