package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// A server writes its tools' schemas and a program the arguments: neither may
// keep the host busy. What costs more than this is not validated here; the
// server has to refuse it.
const (
	// maxSchema is the largest schema, in bytes; maxReading the most of bytes
	// times nesting: the library reads what is nested once for each level.
	maxSchema  = 256 << 10
	maxReading = 8 << 20
	// maxNesting is how deep a schema, or a value that is validated, may be.
	maxNesting = 100
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
	at       map[string]*jsonschema.Schema // root's subschemas, by JSON pointer
	cost     *cost
	plain    bool
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
	switch deep := nesting(s.raw); {
	case deep > maxNesting:
		return fmt.Errorf("it is nested more than %d deep", maxNesting)
	case deep*len(s.raw) > maxReading:
		return fmt.Errorf("it has %d bytes that are nested %d deep, and the product may be %d", len(s.raw), deep, maxReading)
	}
	var root jsonschema.Schema
	if err := json.Unmarshal(s.raw, &root); err != nil {
		return err
	}
	if root.Schema, err = dialect(root.Schema); err != nil {
		return err
	}
	// The cost first: to resolve is to compile patterns, and those are bounded
	// there. It is told from what the library has read, not from the text, which
	// the library may read in another way (it takes $REF for $ref).
	if s.cost, s.at, err = costOf(&root); err != nil {
		return err
	}
	if s.resolved, err = root.Resolve(nil); err != nil { // it loads nothing
		return err
	}
	s.root, s.plain = &root, isPlain(&root)
	return nil
}

// dialect is a $schema as the library spells it. One that it does not know is
// an error: it would say of every value that it is wrong.
func dialect(schema string) (string, error) {
	switch strings.TrimSuffix(schema, "#") {
	case "":
		return "", nil
	case "http://json-schema.org/draft-07/schema", "https://json-schema.org/draft-07/schema":
		return "http://json-schema.org/draft-07/schema#", nil
	case "https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft/2020-12/schema":
		return "https://json-schema.org/draft/2020-12/schema", nil
	}
	return "", fmt.Errorf("its $schema is %q, which is not read here", clip(schema))
}

// violates decodes a JSON text and returns the value, and what is wrong with it
// or nil. That is nil too where the schema cannot be used, or not on this value.
func (s *schema) violates(raw json.RawMessage) (value any, err error) {
	s.read()
	if s.resolved == nil || len(raw) > maxWork || nesting(raw) > maxNesting {
		return nil, nil
	}
	if json.Unmarshal(raw, &value) != nil {
		return nil, nil // a number beyond all bounds: the server may know what to do with it
	}
	if !s.cost.affordable(value) || s.plain && fits(s.root, value) {
		return value, nil
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
