package quickjs

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
)

// This file is all that touches the engine's memory by address. The rules:
//
//   - The engine's addresses are outside of Go's heap (the arena, libc) or
//     static. They are uintptr everywhere but in the moment of access.
//   - The engine is never given the address of Go memory: a Go stack moves,
//     and the engine reads strings by words, past their end. What it is to
//     read is copied first, into the arena or into a scratch buffer of libc's.
//   - Functions that the engine calls are method values held by Engine for as
//     long as it lives; their addresses are part of the image.

type value = lib.TJSValue

// at is memory of the engine's as a pointer.
func at(addr uintptr) unsafe.Pointer { return unsafe.Add(nil, addr) }

// funcAddr is what the engine calls f by. The caller keeps f alive.
func funcAddr[F any](f *F) uintptr { return *(*uintptr)(unsafe.Pointer(f)) }

// cString is the address of a literal that ends in a NUL: static memory.
func cString(literal string) uintptr {
	if literal[len(literal)-1] != 0 {
		panic("quickjs: a C string without its end: " + literal)
	}
	return uintptr(unsafe.Pointer(unsafe.StringData(literal)))
}

var (
	programName = cString(programFile + "\x00")
	preludeName = cString("prelude\x00")
	stackName   = cString("stack\x00")
	defaultName = cString("default\x00")
	lineName    = cString("lineNumber\x00")
	columnName  = cString("columnNumber\x00")
	percentS    = cString("%s\x00")
)

// scratchString is s, terminated by NUL, where the engine can read it until
// the next use of the scratch buffer.
func (e *Engine) scratchString(s string) uintptr {
	if len(s) >= e.scratchSize {
		if e.scratch != 0 {
			libc.Xfree(e.tls, e.scratch)
		}
		e.scratchSize = (len(s) + 1 + 1<<10) &^ (1<<10 - 1)
		if e.scratch = libc.Xmalloc(e.tls, libc.Tsize_t(e.scratchSize)); e.scratch == 0 {
			panic("quickjs: out of memory")
		}
	}
	b := unsafe.Slice((*byte)(at(e.scratch)), len(s)+1)
	copy(b, s)
	b[len(s)] = 0
	return e.scratch
}

// dropScratch frees the scratch buffer if it is larger than keep.
func (e *Engine) dropScratch(keep int) {
	if e.scratch != 0 && e.scratchSize > keep {
		libc.Xfree(e.tls, e.scratch)
		e.scratch, e.scratchSize = 0, 0
	}
}

// --- allocation ---

func (e *Engine) jsMalloc(_ *libc.TLS, s uintptr, n lib.Tsize_t) uintptr {
	off := e.heap.alloc(uint64(n))
	if off == 0 {
		return 0
	}
	e.accounted(s)
	return e.heap.addr + uintptr(off)
}

func (e *Engine) jsFree(_ *libc.TLS, s uintptr, p uintptr) {
	if p == 0 {
		return
	}
	e.heap.free(uint64(p - e.heap.addr))
	e.accounted(s)
}

func (e *Engine) jsRealloc(_ *libc.TLS, s uintptr, p uintptr, n lib.Tsize_t) uintptr {
	switch {
	case p == 0 && n == 0:
		return 0
	case p == 0:
		return e.jsMalloc(nil, s, n)
	case n == 0:
		e.jsFree(nil, s, p)
		return 0
	}
	off := e.heap.realloc(uint64(p-e.heap.addr), uint64(n))
	if off == 0 {
		return 0
	}
	e.accounted(s)
	return e.heap.addr + uintptr(off)
}

func (e *Engine) jsUsableSize(_ *libc.TLS, p uintptr) lib.Tsize_t {
	if p == 0 {
		return 0
	}
	return lib.Tsize_t(e.heap.usable(uint64(p - e.heap.addr)))
}

// accounted tells the engine how much it uses: its garbage collection goes by
// that.
func (e *Engine) accounted(s uintptr) {
	st, c := (*lib.TJSMallocState)(at(s)), e.heap.ctl()
	st.Fmalloc_size, st.Fmalloc_count = lib.Tsize_t(c.inUse), lib.Tsize_t(c.count)
}

// --- runtime and context ---

// newRuntime makes a runtime and a context in the (empty) heap.
func (e *Engine) newRuntime() bool {
	mf := e.tls.Alloc(int(unsafe.Sizeof(lib.TJSMallocFunctions{})))
	defer e.tls.Free(int(unsafe.Sizeof(lib.TJSMallocFunctions{})))
	*(*lib.TJSMallocFunctions)(at(mf)) = lib.TJSMallocFunctions{
		Fjs_malloc:             funcAddr(&e.mallocFn),
		Fjs_free:               funcAddr(&e.freeFn),
		Fjs_realloc:            funcAddr(&e.reallocFn),
		Fjs_malloc_usable_size: funcAddr(&e.usableFn),
	}
	if e.rt = lib.XJS_NewRuntime2(e.tls, mf, 0); e.rt == 0 {
		return false
	}
	if e.ctx = lib.XJS_NewContext(e.tls, e.rt); e.ctx == 0 {
		return false
	}
	lib.XJS_SetInterruptHandler(e.tls, e.rt, funcAddr(&e.interruptFn), 0)
	lib.XJS_SetHostPromiseRejectionTracker(e.tls, e.rt, funcAddr(&e.rejectionFn), 0)
	lib.XJS_SetModuleLoaderFunc(e.tls, e.rt, 0, funcAddr(&e.moduleFn), 0)
	e.evalInternal = e.context().Feval_internal
	return true
}

func (e *Engine) runtime() *lib.TJSRuntime { return (*lib.TJSRuntime)(at(e.rt)) }
func (e *Engine) context() *lib.TJSContext { return (*lib.TJSContext)(at(e.ctx)) }

// allowCompile lets the engine compile source, or not: eval and its relatives
// go through the same hook, so while a program runs it is off.
func (e *Engine) allowCompile(on bool) {
	if on {
		e.context().Feval_internal = e.evalInternal
	} else {
		e.context().Feval_internal = 0
	}
}

// hurry makes the engine look at its interrupt handler at the next occasion.
func (e *Engine) hurry() { e.context().Finterrupt_counter = 1 }

// atRest says that no frame of JavaScript is on the engine's stack.
func (e *Engine) atRest() bool { return e.runtime().Fcurrent_stack_frame == 0 }

func (e *Engine) setStackLimit(slots int64) {
	lib.XJS_SetMaxStackSize(e.tls, e.rt, lib.Tsize_t(slots))
}

// gcThreshold is where the engine collects cycles next. It raises it by half
// after each collection, past the limit if it is let.
func (e *Engine) gcThreshold() uint64 { return uint64(e.runtime().Fmalloc_gc_threshold) }

func (e *Engine) setGCThreshold(n uint64) {
	lib.XJS_SetGCThreshold(e.tls, e.rt, lib.Tsize_t(n))
}

// --- values ---

func (e *Engine) free(v value)      { lib.XFreeValue(e.tls, e.ctx, v) }
func (e *Engine) dup(v value) value { return lib.XDupValue(e.tls, e.ctx, v) }

func (e *Engine) isFunction(v value) bool { return lib.XJS_IsFunction(e.tls, e.ctx, v) != 0 }

func (e *Engine) newInt(n int) value { return e.newFloat(float64(n)) }

// newString makes a string of UTF-8.
func (e *Engine) newString(s string) value {
	return lib.XJS_NewStringLen(e.tls, e.ctx, e.scratchString(s), lib.Tsize_t(len(s)))
}

func (e *Engine) newList(items []string) value {
	a := lib.XJS_NewArray(e.tls, e.ctx)
	for i, s := range items {
		v := e.newString(s)
		if isException(v) || lib.XJS_DefinePropertyValueUint32(e.tls, e.ctx, a, uint32(i), v, propCWE) < 0 {
			e.free(a)
			return exception
		}
	}
	return a
}

// text calls f with the UTF-8 of v, converted if it is not a string. The bytes
// may be the engine's own: f must not keep them, nor run JavaScript. It says
// false where the conversion failed.
func (e *Engine) text(v value, f func(b []byte)) bool {
	np := e.tls.Alloc(8)
	p := lib.XJS_ToCStringLen2(e.tls, e.ctx, np, v, 0)
	n := *(*lib.Tsize_t)(at(np))
	e.tls.Free(8)
	if p == 0 {
		return false
	}
	f(unsafe.Slice((*byte)(at(p)), int(n)))
	lib.XJS_FreeCString(e.tls, e.ctx, p)
	return true
}

// pinnedText is like text, but the bytes stay until the heap is restored.
func (e *Engine) pinnedText(v value) ([]byte, bool) {
	np := e.tls.Alloc(8)
	defer e.tls.Free(8)
	p := lib.XJS_ToCStringLen2(e.tls, e.ctx, np, v, 0)
	if p == 0 {
		return nil, false
	}
	n := int(*(*lib.Tsize_t)(at(np)))
	return unsafe.Slice((*byte)(at(p)), n), true
}

func (e *Engine) str(v value) string {
	var s string
	if !e.text(v, func(b []byte) { s = string(b) }) {
		e.free(e.takeException())
	}
	return s
}

func (e *Engine) number(v value) float64 {
	p := e.tls.Alloc(8)
	defer e.tls.Free(8)
	if lib.XJS_ToFloat64(e.tls, e.ctx, p, v) != 0 {
		e.free(e.takeException())
		return 0
	}
	return *(*float64)(at(p))
}

func (e *Engine) takeException() value { return lib.XJS_GetException(e.tls, e.ctx) }

func (e *Engine) property(v value, name uintptr) value {
	return lib.XJS_GetPropertyStr(e.tls, e.ctx, v, name)
}

func (e *Engine) global() value { return lib.XJS_GetGlobalObject(e.tls, e.ctx) }

// call calls f with args, which stay the caller's.
func (e *Engine) call(f value, args ...value) value {
	if len(args) == 0 {
		return lib.XJS_Call(e.tls, e.ctx, f, undefined, 0, 0)
	}
	n := len(args) * int(unsafe.Sizeof(value{}))
	argv := e.tls.Alloc(n)
	copy(unsafe.Slice((*value)(at(argv)), len(args)), args)
	v := lib.XJS_Call(e.tls, e.ctx, f, undefined, int32(len(args)), argv)
	e.tls.Free(n)
	return v
}

// arguments is what a native was called with, valid while it runs.
func arguments(argc int32, argv uintptr) []value {
	return unsafe.Slice((*value)(at(argv)), int(argc))
}

// parseJSON makes a value of a JSON text.
func (e *Engine) parseJSON(b []byte) value {
	if p, ok := e.lend(b); ok {
		v := lib.XJS_ParseJSON(e.tls, e.ctx, p, lib.Tsize_t(len(b)), preludeName)
		lib.Xjs_free(e.tls, e.ctx, p)
		return v
	}
	return exception
}

// lend copies b, terminated, into the engine's heap.
func (e *Engine) lend(b []byte) (uintptr, bool) {
	p := lib.Xjs_malloc(e.tls, e.ctx, lib.Tsize_t(len(b)+1))
	if p == 0 {
		return 0, false
	}
	m := unsafe.Slice((*byte)(at(p)), len(b)+1)
	copy(m, b)
	m[len(b)] = 0
	return p, true
}

// compile makes bytecode of before + text + after. The flags are the engine's.
func (e *Engine) compile(before string, text []byte, after string, name uintptr, flags int32) value {
	n := len(before) + len(text) + len(after)
	p := lib.Xjs_malloc(e.tls, e.ctx, lib.Tsize_t(n+1))
	if p == 0 {
		return exception
	}
	b := unsafe.Slice((*byte)(at(p)), n+1)
	copy(b, before)
	copy(b[len(before):], text)
	copy(b[len(before)+len(text):], after)
	b[n] = 0
	v := lib.XJS_Eval(e.tls, e.ctx, p, lib.Tsize_t(n), name, flags|evalCompileOnly)
	lib.Xjs_free(e.tls, e.ctx, p)
	return v
}

// writeCode is compiled code in the form that readCode takes.
func (e *Engine) writeCode(code value) ([]byte, bool) {
	np := e.tls.Alloc(8)
	defer e.tls.Free(8)
	p := lib.XJS_WriteObject(e.tls, e.ctx, np, code, objBytecode)
	if p == 0 {
		return nil, false
	}
	b := append([]byte(nil), unsafe.Slice((*byte)(at(p)), int(*(*lib.Tsize_t)(at(np))))...)
	lib.Xjs_free(e.tls, e.ctx, p)
	return b, true
}

// readCode is code that writeCode wrote. The engine reads a copy in memory of
// its own: its pointers do not point into Go's.
func (e *Engine) readCode(b []byte) value {
	p := lib.Xjs_malloc(e.tls, e.ctx, lib.Tsize_t(len(b)))
	if p == 0 {
		return exception
	}
	copy(unsafe.Slice((*byte)(at(p)), len(b)), b)
	v := lib.XJS_ReadObject(e.tls, e.ctx, p, lib.Tsize_t(len(b)), objBytecode)
	lib.Xjs_free(e.tls, e.ctx, p)
	return v
}

// evaluate runs bytecode, and consumes it.
func (e *Engine) evaluate(code value) value { return lib.XJS_EvalFunction(e.tls, e.ctx, code) }

// strip makes what is compiled from here on carry no positions and no source.
func (e *Engine) strip(on bool) {
	var flags int32
	if on {
		flags = stripSource | stripDebug
	}
	lib.XJS_SetStripInfo(e.tls, e.rt, flags)
}

// moduleExport is what a module that has been evaluated exports as default.
func (e *Engine) moduleExport(module value) value {
	ns := lib.XJS_GetModuleNamespace(e.tls, e.ctx, pointer(module))
	if isException(ns) {
		return ns
	}
	v := e.property(ns, defaultName)
	e.free(ns)
	return v
}

func (e *Engine) promiseState(v value) int32 {
	return int32(lib.XJS_PromiseState(e.tls, e.ctx, v))
}

func (e *Engine) promiseResult(v value) value { return lib.XJS_PromiseResult(e.tls, e.ctx, v) }

// newPromise is a promise and what settles it.
func (e *Engine) newPromise() (promise, resolve, reject value) {
	n := 2 * int(unsafe.Sizeof(value{}))
	p := e.tls.Alloc(n)
	defer e.tls.Free(n)
	promise = lib.XJS_NewPromiseCapability(e.tls, e.ctx, p)
	if isException(promise) {
		return promise, undefined, undefined
	}
	f := unsafe.Slice((*value)(at(p)), 2)
	return promise, f[0], f[1]
}

// runJob runs the next pending job. It says whether there was one, and whether
// that threw.
func (e *Engine) runJob() (ran, threw bool) {
	p := e.tls.Alloc(8)
	n := lib.XJS_ExecutePendingJob(e.tls, e.rt, p)
	e.tls.Free(8)
	return n != 0, n < 0
}

// newNatives makes an object without prototype whose functions call e.native
// with their index.
func (e *Engine) newNatives(names []nativeName) value {
	o := lib.XJS_NewObjectProto(e.tls, e.ctx, null)
	for i, n := range names {
		f := lib.XJS_NewCFunction2(e.tls, e.ctx, funcAddr(&e.nativeFn), cString(n.name), int32(n.length), lib.EJS_CFUNC_generic_magic, int32(i))
		if isException(f) || lib.XJS_DefinePropertyValueStr(e.tls, e.ctx, o, cString(n.name), f, propCWE) < 0 {
			return exception
		}
	}
	return o
}

// throwReference throws a ReferenceError.
func (e *Engine) throwReference(message string) value {
	// The message goes through printf: as an argument, never as the format.
	va := e.tls.Alloc(16)
	defer e.tls.Free(16)
	return lib.XJS_ThrowReferenceError(e.tls, e.ctx, percentS, libc.VaList(va, e.scratchString(message)))
}

// fillBytes gives f the bytes of a typed array.
func (e *Engine) fillBytes(v value, f func(b []byte)) bool {
	p := e.tls.Alloc(24)
	defer e.tls.Free(24)
	buf := lib.XJS_GetTypedArrayBuffer(e.tls, e.ctx, v, p, p+8, p+16)
	if isException(buf) {
		return false
	}
	off, n := *(*lib.Tsize_t)(at(p)), *(*lib.Tsize_t)(at(p + 8))
	data := lib.XJS_GetArrayBuffer(e.tls, e.ctx, p, buf)
	e.free(buf)
	if data == 0 {
		return false
	}
	f(unsafe.Slice((*byte)(at(data+uintptr(off))), int(n)))
	return true
}

func (e *Engine) classID(v value) int { return int(lib.XJS_GetClassID(e.tls, v)) }

// setUTC keeps the engine's libc from looking for a time zone file, which a
// locked-down worker must not open.
func (e *Engine) setUTC() {
	libc.Xsetenv(e.tls, cString("TZ\x00"), cString("UTC0\x00"), 1)
}

func (e *Engine) index(v value, i int) value {
	return lib.XJS_GetPropertyUint32(e.tls, e.ctx, v, uint32(i))
}

// proxyTarget is the target of a proxy, null of a revoked one.
func (e *Engine) proxyTarget(v value) value {
	d := (*lib.TJSProxyData)(at(lib.XJS_GetOpaque(e.tls, v, lib.EJS_CLASS_PROXY)))
	if d.Fis_revoked != 0 {
		return null
	}
	return e.dup(d.Ftarget)
}

// functionName is a function's name property, if it is a plain string: no
// getter of the program is called.
func (e *Engine) functionName(fn value) string {
	size := int(unsafe.Sizeof(lib.TJSPropertyDescriptor{}))
	p := e.tls.Alloc(size)
	defer e.tls.Free(size)
	if lib.XJS_GetOwnProperty(e.tls, e.ctx, p, fn, lib.EJS_ATOM_name) <= 0 {
		return ""
	}
	d := *(*lib.TJSPropertyDescriptor)(at(p))
	name := ""
	if isString(d.Fvalue) {
		name = e.str(d.Fvalue)
	}
	e.free(d.Fvalue)
	e.free(d.Fgetter)
	e.free(d.Fsetter)
	return name
}

// setProperty sets a property, and takes v.
func (e *Engine) setProperty(o value, name uintptr, v value) bool {
	return lib.XJS_SetPropertyStr(e.tls, e.ctx, o, name, v) >= 0
}
