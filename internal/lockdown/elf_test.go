//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"bytes"
	"encoding/binary"
)

// elf makes the smallest executable that runs the code.
func elf(machine uint16, code []byte) []byte {
	const base, headers = 0x400000, 64 + 56
	var b bytes.Buffer
	size := uint64(headers + len(code))
	for _, v := range []any{
		[16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1},
		uint16(2), machine, uint32(1), uint64(base + headers), uint64(64), uint64(0), uint32(0),
		uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(0x1000),
	} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a Buffer does not fail
	}
	b.Write(code)
	return b.Bytes()
}
