//go:build !unix

package upstream

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

// Without process groups the process alone is ended; what it started may stay.
func killGroup(p *os.Process)      { p.Kill() }
func terminateGroup(p *os.Process) { p.Kill() }
