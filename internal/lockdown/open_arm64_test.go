//go:build linux

package lockdown_test

import "golang.org/x/sys/unix"

// oldOpen: there is only the new call here.
func oldOpen(*victim) error {
	at := unix.AT_FDCWD
	fd, err := call(unix.SYS_OPENAT, uintptr(at), cstr("/etc/passwd"), unix.O_RDONLY|unix.O_CLOEXEC)
	return closing(int(fd), err)
}

// mildARM is mild where oldOpen is no older call.
const mildARM = "mild "
