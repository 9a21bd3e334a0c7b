package quickjs

import (
	_ "embed"
	"fmt"
	"unsafe"

	"github.com/autoclave-run/autoclave/internal/quickjs/prelude"
)

// The two files that go with this package's Go side.
var (
	//go:embed prelude/core.js
	coreSource string
	//go:embed prelude/api.js
	apiSource string
)

// core is the functions of the prelude that Go calls. They live in the image.
type core struct {
	main     value // (value, wrapped) → promise of the program's value
	fire     value // (timer)
	encode   value // (value) → JSON
	describe value // (thrown) → JSON
	install  value // (library): its exports become globals
	lib      value // (library): loads it
	plain    value // (bool): no value of this program needs conversion

	// Ends of a host call. All but fail are called with the parsed answer,
	// resolve, reject, stack, server and name.
	fail      value // (reject, stack, wire error)
	content   value // an MCP CallToolResult
	toolError value // the same with isError set
	contents  value // an MCP ReadResourceResult
}

// libraries are the parts of the prelude that are loaded when needed.
var libraries = map[string]string{
	"api":     apiSource,
	"inspect": prelude.Inspect,
	"url":     prelude.URL,
	"text":    prelude.Text,
	"clone":   prelude.Clone,
	"intl":    prelude.Intl,
	"values":  prelude.Values,
}

// loadPrelude evaluates what every isolate has.
func (e *Engine) loadPrelude() error {
	makeP, err := e.evaluateSource("primordials.js", prelude.Primordials)
	if err != nil {
		return err
	}
	g := e.global()
	p := e.call(makeP, g)
	e.free(g)
	e.free(makeP)
	if isException(p) {
		return fmt.Errorf("load the prelude: primordials.js: %s", e.exceptionText())
	}
	makeCore, err := e.evaluateSource("core.js", coreSource)
	if err != nil {
		return err
	}
	n := e.newNatives(natives)
	list := e.call(makeCore, p, n)
	e.free(p)
	e.free(n)
	e.free(makeCore)
	if isException(list) {
		return fmt.Errorf("load the prelude: core.js: %s", e.exceptionText())
	}
	fields := unsafe.Slice((*value)(unsafe.Pointer(&e.core)), unsafe.Sizeof(e.core)/unsafe.Sizeof(value{}))
	for i := range fields {
		if fields[i] = e.index(list, i); !e.isFunction(fields[i]) {
			return fmt.Errorf("load the prelude: core.js: its result %d is not a function", i)
		}
	}
	e.free(list)
	return nil
}

// evaluateSource is the value of a file of the prelude.
func (e *Engine) evaluateSource(name, src string) (value, error) {
	e.strip(true)
	e.allowCompile(true)
	v := e.compile(append([]byte(src), 0), preludeName, 0)
	e.strip(false)
	if !isException(v) {
		v = e.evaluate(v)
	}
	if isException(v) {
		return v, fmt.Errorf("load the prelude: %s: %s", name, e.exceptionText())
	}
	return v, nil
}

// load is a library's function, for the prelude to call. It may run in the
// middle of a program.
func (e *Engine) load(name string) value {
	src, ok := libraries[name]
	if !ok {
		return e.throwReference("the prelude has no library " + name)
	}
	e.used[name] = true
	wasOn := e.context().Feval_internal != 0
	e.strip(true)
	e.allowCompile(true)
	v := e.compile(append([]byte(src), 0), preludeName, 0)
	e.strip(false)
	e.allowCompile(wasOn)
	if isException(v) {
		return v
	}
	return e.evaluate(v)
}

// preload loads a library while no program runs.
func (e *Engine) preload(name string) error {
	s := e.newString(name)
	v := e.call(e.core.lib, s)
	e.free(s)
	if isException(v) {
		return fmt.Errorf("load the prelude: %s: %s", name, e.exceptionText())
	}
	e.free(v)
	return nil
}

// exceptionText is the pending exception, which it takes.
func (e *Engine) exceptionText() string {
	x := e.takeException()
	defer e.free(x)
	stack := e.property(x, stackName)
	defer e.free(stack)
	return e.str(x) + "\n" + e.str(stack)
}

var (
	stackName   = cString("stack")
	valueName   = cString("value")
	defaultName = cString("default")
	lineName    = cString("lineNumber")
	columnName  = cString("columnNumber")
)
