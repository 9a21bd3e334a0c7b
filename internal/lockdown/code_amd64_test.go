//go:build linux

package lockdown_test

// int80Code asks the 32-bit system call interface for the process id (number
// 20 there): mov eax, 20; int 0x80; ret.
var int80Code = []byte{0xb8, 0x14, 0, 0, 0, 0xcd, 0x80, 0xc3}

// exitELF is an executable that exits with status 42: mov edi, 42;
// mov eax, 231 (exit_group); syscall.
var exitELF = elf(62, []byte{0xbf, 42, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05})
