package dispatch

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	autoclave "github.com/autoclave-run/autoclave"
)

// validate holds the arguments against the tool's schema.
func (h *Host) validate(c *hostCall, found *known) error {
	if c.kind != kindTool {
		return nil
	}
	if err := object(c); err != nil {
		return err
	}
	args := c.args
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	value, err := found.schemas.input.violates(args)
	if err == nil {
		return nil
	}
	faults := explain(&found.schemas.input, value)
	if len(faults) == 0 {
		faults = []string{clip(err.Error())}
	}
	e := autoclave.Errorf(autoclave.InvalidArguments, "the arguments of %s.%s are wrong: %s", c.server, clip(c.name), strings.Join(faults, "; "))
	e.Suggestion = fmt.Sprintf("catalog.types(%q, %q) says what it takes.", c.server, clip(c.name))
	return e
}

// object demands that arguments are an object, if there are any.
func object(c *hostCall) error {
	if len(c.args) == 0 {
		return nil
	}
	for _, b := range c.args {
		switch b {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return nil
		}
		break
	}
	e := autoclave.Errorf(autoclave.InvalidArguments, "the arguments of %s.%s are %s: they must be an object", c.server, c.name, describeJSON(c.args))
	e.Suggestion = "Pass one object with the tool's parameters as its properties."
	return e
}

// checkOutput holds a result against the tool's own word now and then, and logs
// where they differ. To the program that is no error: the server knows.
func (d *Dispatcher) checkOutput(c *hostCall, found *known, raw json.RawMessage) {
	out := &found.schemas.output
	if len(out.raw) == 0 || len(raw) > maxChecked || !out.due(time.Now()) {
		return
	}
	var res struct {
		Content json.RawMessage `json:"structuredContent"`
		IsError bool            `json:"isError"`
	}
	if json.Unmarshal(raw, &res) != nil || res.IsError {
		return
	}
	if len(res.Content) == 0 {
		d.log.Warn("a tool has an output schema, and its result has no structured content", "server", c.server, "tool", c.name)
		return
	}
	if value, err := out.violates(res.Content); err != nil {
		faults := explain(out, value)
		if len(faults) == 0 {
			faults = []string{clip(err.Error())}
		}
		d.log.Warn("the result of a tool does not fit its output schema", "server", c.server, "tool", c.name, "faults", strings.Join(faults, "; "))
	}
}

// describeJSON names the type of a JSON text.
func describeJSON(b json.RawMessage) string {
	for _, c := range b {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '[':
			return "an array"
		case '"':
			return "a string"
		case 't', 'f':
			return "a boolean"
		case 'n':
			return "null"
		}
		return "a number"
	}
	return "empty"
}
