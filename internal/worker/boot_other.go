//go:build !unix

package worker

import (
	"os"
)

// BootEnv carries the boot message where descriptors cannot be inherited by
// number.
const BootEnv = "AUTOCLAVE_BOOT"

// Requested reports whether this process was started as a worker.
func Requested() bool {
	return len(os.Args) > 0 && os.Args[0] == Argv0 && os.Getenv(BootEnv) != ""
}

func readBoot() (Boot, error) {
	msg := os.Getenv(BootEnv)
	os.Clearenv()
	return decodeBoot([]byte(msg))
}
