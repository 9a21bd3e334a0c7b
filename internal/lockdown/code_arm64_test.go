//go:build linux

package lockdown_test

// int80Code is empty: a 64-bit process cannot make 32-bit calls here.
var int80Code []byte

// exitELF is an executable that exits with status 42: mov x0, 42; mov x8, 94
// (exit_group); svc 0.
var exitELF = elf(183, []byte{0x40, 0x05, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4})
