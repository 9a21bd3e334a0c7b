//go:build unix

package worker

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// bootFD is the descriptor of the pipe with the boot message. It is read to
// its end and closed before anything else happens.
const bootFD = 3

// Requested reports whether this process was started as a worker: it has the
// name, and it inherited a pipe where the boot message is expected. A user can
// type the name; he does not inherit the pipe.
func Requested() bool {
	if len(os.Args) == 0 || os.Args[0] != Argv0 {
		return false
	}
	var st syscall.Stat_t
	return syscall.Fstat(bootFD, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

func readBoot() (Boot, error) {
	f := os.NewFile(bootFD, "boot")
	defer f.Close()
	msg, err := io.ReadAll(io.LimitReader(f, maxBoot))
	if err != nil {
		return Boot{}, fmt.Errorf("reading the boot message: %w", err)
	}
	return decodeBoot(msg)
}
