package quickjs

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/autoclave-run/autoclave/internal/quickjs/prelude"
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

// preludeFiles is the text of the prelude by name. All but the first two are
// libraries, loaded when needed.
var preludeFiles = []struct{ name, source string }{
	{"primordials", prelude.Primordials},
	{"core", prelude.Core},
	{"api", prelude.API},
	{"inspect", prelude.Inspect},
	{"url", prelude.URL},
	{"text", prelude.Text},
	{"clone", prelude.Clone},
	{"intl", prelude.Intl},
	{"values", prelude.Values},
}

// preludeCode is a file of the prelude, compiled: from what Compile made in
// another process where that was handed over, else from its text.
func (e *Engine) preludeCode(name string) value {
	for rest := e.bytecode; len(rest) > 0; {
		n, code, more, ok := nextBytecode(rest)
		if !ok {
			break
		}
		if n == name {
			return e.readCode(code)
		}
		rest = more
	}
	return e.compilePrelude(name)
}

// Compile returns the prelude as the engine's bytecode, for Config.Bytecode of
// other processes of the same executable: reading it takes a fraction of the
// time that compiling takes, and every worker does that when it starts. It
// takes some tens of milliseconds.
func Compile() ([]byte, error) {
	e, err := New(Config{})
	if err != nil {
		return nil, fmt.Errorf("compile the prelude: %w", err)
	}
	defer e.Close()
	// The names of the captured built-ins and of libraries take more memory
	// than a small isolate has.
	var b []byte
	for _, f := range preludeFiles {
		v := e.compilePrelude(f.name)
		if isException(v) {
			return nil, fmt.Errorf("compile the prelude: %s.js: %s", f.name, e.exceptionText())
		}
		code, ok := e.writeCode(v)
		if !ok {
			return nil, fmt.Errorf("compile the prelude: %s.js: %s", f.name, e.exceptionText())
		}
		e.free(v)
		b = binary.BigEndian.AppendUint32(b, uint32(len(f.name)))
		b = binary.BigEndian.AppendUint32(b, uint32(len(code)))
		b = append(append(b, f.name...), code...)
	}
	return b, nil
}

func (e *Engine) compilePrelude(name string) value {
	for _, f := range preludeFiles {
		if f.name == name {
			wasOn := e.context().Feval_internal != 0
			e.strip(true)
			e.allowCompile(true)
			v := e.compile("", []byte(f.source), "", preludeName, 0)
			e.strip(false)
			e.allowCompile(wasOn)
			return v
		}
	}
	return e.throwReference("the prelude has no file " + name)
}

// nextBytecode takes the first file off what Compile made: each has two sizes of
// four bytes, big-endian, then its name and its code.
func nextBytecode(b []byte) (name string, code, rest []byte, ok bool) {
	const sizes = 8
	if len(b) < sizes {
		return "", nil, nil, false
	}
	n, c := uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
	if uint64(len(b)) < sizes+n+c {
		return "", nil, nil, false
	}
	return string(b[sizes : sizes+n]), b[sizes+n : sizes+n+c], b[sizes+n+c:], true
}

// loadPrelude evaluates what every isolate has.
func (e *Engine) loadPrelude() error {
	makeP, err := e.evaluatePrelude("primordials")
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
	makeCore, err := e.evaluatePrelude("core")
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

// evaluatePrelude is the value of a file of the prelude.
func (e *Engine) evaluatePrelude(name string) (value, error) {
	v := e.preludeCode(name)
	if !isException(v) {
		v = e.evaluate(v)
	}
	if isException(v) {
		return v, fmt.Errorf("load the prelude: %s.js: %s", name, e.exceptionText())
	}
	return v, nil
}

// load is a library's function, for the prelude to call. It may run in the
// middle of a program.
func (e *Engine) load(name string) value {
	v := e.preludeCode(name)
	if isException(v) {
		return v
	}
	e.used[name] = true
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
