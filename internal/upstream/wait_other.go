//go:build !linux

package upstream

// waitExited reports whether it waited until the process had died and left it
// unreaped, which only Linux is asked to do.
func waitExited(int) bool { return false }
