package quickjs

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	lib "modernc.org/libquickjs"
)

// place is where a frame of the program is: the function, held, and how far it
// has come in its bytecode. To note it takes a fraction of what the text of a
// stack takes, and few calls fail.
type place struct {
	function value
	pc       uint32
}

// maxPlaces is how many frames of the program a host call notes.
const maxPlaces = 8

// places notes the program's frames on the engine's stack, the innermost
// first. The prelude's have no positions and are left out.
func (e *Engine) places() []place {
	var list []place
	for sf := e.runtime().Fcurrent_stack_frame; sf != 0 && len(list) < maxPlaces; {
		f := (*lib.TJSStackFrame)(at(sf))
		if b := bytecodeOf(f.Fcur_func); b != nil {
			list = append(list, place{e.dup(f.Fcur_func), uint32(f.Fcur_pc - b.Fbyte_code_buf - 1)})
		}
		sf = f.Fprev_frame
	}
	return list
}

// bytecodeOf is a function's bytecode, nil where it has none or no positions.
func bytecodeOf(fn value) *lib.TJSFunctionBytecode {
	const (
		functionBytecode = 40 // u.func.function_bytecode in a JSObject
		flags            = 18 // the byte of has_debug in a JSFunctionBytecode
		hasDebug         = 4
	)
	if tagOf(fn) != lib.EJS_TAG_OBJECT {
		return nil
	}
	p := at(pointer(fn))
	switch (*lib.TJSObject)(p).Fclass_id {
	case lib.EJS_CLASS_BYTECODE_FUNCTION, lib.EJS_CLASS_GENERATOR_FUNCTION, lib.EJS_CLASS_ASYNC_FUNCTION, lib.EJS_CLASS_ASYNC_GENERATOR_FUNCTION:
	default:
		return nil
	}
	b := at(*(*uintptr)(unsafe.Add(p, functionBytecode)))
	if *(*uint8)(unsafe.Add(b, flags))&hasDebug == 0 {
		return nil
	}
	return (*lib.TJSFunctionBytecode)(b)
}

// stackText is what the engine's own stack would say of the places.
func (e *Engine) stackText(list []place) string {
	var s strings.Builder
	for _, p := range list {
		b := bytecodeOf(p.function)
		if b == nil || b.Fdebug.Fpc2line_buf == 0 {
			continue
		}
		line, column := lineOfPC(unsafe.Slice((*byte)(at(b.Fdebug.Fpc2line_buf)), int(b.Fdebug.Fpc2line_len)), p.pc)
		name := e.functionName(p.function)
		if name == "" {
			name = "<anonymous>"
		}
		fmt.Fprintf(&s, "    at %s (%s:%d:%d)\n", name, programFile, line, column)
	}
	return s.String()
}

// lineOfPC reads the engine's table of positions, as its find_line_num does:
// the position of the last instruction that begins at or before pc.
func lineOfPC(table []byte, pc uint32) (line, column int) {
	const opFirst, opRange, opBase = lib.MPC2LINE_OP_FIRST, lib.MPC2LINE_RANGE, lib.MPC2LINE_BASE
	r := table
	unsigned := func() int {
		n, size := binary.Uvarint(r)
		r = r[max(size, 1)*min(len(r), 1):]
		return int(n)
	}
	signed := func() int {
		n := uint32(unsigned())
		return int(int32(n>>1) ^ -int32(n&1))
	}
	line = unsigned() + 1
	column = unsigned() + 1
	at := 0
	for len(r) > 0 {
		op := int(r[0])
		r = r[1:]
		nextLine := line
		if op == 0 {
			at += unsigned()
			nextLine += signed()
		} else {
			at += (op - opFirst) / opRange
			nextLine += (op-opFirst)%opRange + opBase
		}
		nextColumn := column + signed()
		if int(pc) < at {
			break
		}
		line, column = nextLine, nextColumn
	}
	return line, column
}
