//go:build linux

package lockdown_test

import "golang.org/x/sys/unix"

func oldOpen(*victim) error {
	fd, err := call(unix.SYS_OPEN, cstr("/etc/passwd"), unix.O_RDONLY|unix.O_CLOEXEC)
	return closing(int(fd), err)
}

// mildARM is mild where oldOpen is no older call.
const mildARM = ""
