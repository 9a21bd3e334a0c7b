//go:build !unix

package lockdown

import "os"

// killedExit is the exit status of a process that os.Process.Kill ended, where
// that is not a signal.
const killedExit = 1

// signalOf names the signal that ended a process. There are none here.
func signalOf(*os.ProcessState) string { return "" }
