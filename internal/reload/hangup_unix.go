//go:build unix

package reload

import (
	"os"
	"os/signal"
	"syscall"
)

// Hangups returns a channel that receives a value at each SIGHUP, for
// Config.Now, and a function that ends that. From then on, and before, the
// signal ends the process. Where the process was started with the signal
// ignored, as by nohup, it is received all the same.
func Hangups() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
