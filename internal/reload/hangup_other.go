//go:build !unix

package reload

import "os"

// Hangups returns a channel that receives nothing: there is no SIGHUP here.
func Hangups() (<-chan os.Signal, func()) { return nil, func() {} }
