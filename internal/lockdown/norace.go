//go:build !race

package lockdown

// raceBuild says that the race detector is linked in. It needs the address
// space and some system calls that a worker otherwise does without.
const raceBuild = false
