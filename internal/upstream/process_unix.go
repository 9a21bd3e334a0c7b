//go:build unix

package upstream

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes the process the leader of a new group, so that what it starts
// (npx starts node) can be ended with it, and so that a terminal's interrupt
// meets the host alone.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(p *os.Process)      { syscall.Kill(-p.Pid, syscall.SIGKILL) }
func terminateGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGTERM) }
