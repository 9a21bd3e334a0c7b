//go:build !unix

package process

// killGroup does nothing where there are no process groups: Kill ends the
// process itself, which cannot start others.
func killGroup(int) {}
