//go:build amd64 || arm64 || loong64 || ppc64le || riscv64 || s390x

package quickjs

import (
	"math"

	lib "modernc.org/libquickjs"
)

func tagged(tag int64, u uint64) value {
	return value{Fu: lib.TJSValueUnion{Fuint641: u}, Ftag: tag}
}

func tagOf(v value) int { return int(v.Ftag) }

func pointer(v value) uintptr { return uintptr(v.Fu.Fuint641) }

func (e *Engine) newFloat(f float64) value {
	if n := int32(f); float64(n) == f && (n != 0 || !math.Signbit(f)) {
		return tagged(lib.EJS_TAG_INT, uint64(uint32(n)))
	}
	return tagged(lib.EJS_TAG_FLOAT64, math.Float64bits(f))
}

func isTrue(v value) bool { return v.Ftag == lib.EJS_TAG_BOOL && int32(v.Fu.Fuint641) != 0 }
