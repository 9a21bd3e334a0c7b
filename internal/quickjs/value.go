package quickjs

import lib "modernc.org/libquickjs"

// Flags and constants of the engine's C interface.
const (
	evalModule      = 1
	evalCompileOnly = 32
	evalAsync       = 128

	objBytecode = 1

	stripSource = 1
	stripDebug  = 2

	propCWE = 7

	promiseNone      = -1
	promisePending   = 0
	promiseFulfilled = 1
)

var (
	undefined  = tagged(lib.EJS_TAG_UNDEFINED, 0)
	null       = tagged(lib.EJS_TAG_NULL, 0)
	exception  = tagged(lib.EJS_TAG_EXCEPTION, 0)
	valueFalse = tagged(lib.EJS_TAG_BOOL, 0)
	valueTrue  = tagged(lib.EJS_TAG_BOOL, 1)
)

func newBool(b bool) value {
	if b {
		return valueTrue
	}
	return valueFalse
}

func isException(v value) bool { return tagOf(v) == lib.EJS_TAG_EXCEPTION }
func isUndefined(v value) bool { return tagOf(v) == lib.EJS_TAG_UNDEFINED }

// isString says that v is a string, flat or a rope.
func isString(v value) bool {
	t := tagOf(v)
	return t == lib.EJS_TAG_STRING || t == lib.EJS_TAG_STRING_ROPE
}
