//go:build !unix

package lockdown

import "os"

// signalOf names the signal that ended a process. There are none here.
func signalOf(*os.ProcessState) string { return "" }
