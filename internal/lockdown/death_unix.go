//go:build unix

package lockdown

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// killedExit is the exit status of a process that os.Process.Kill ended, where
// that is not a signal. It is none here.
const killedExit = -1

// signalOf names the signal that ended a process, empty where none did.
func signalOf(state *os.ProcessState) string {
	ws, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !ws.Signaled() {
		return ""
	}
	if name := unix.SignalName(ws.Signal()); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", ws.Signal())
}
