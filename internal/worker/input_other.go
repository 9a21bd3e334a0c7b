//go:build !linux

package worker

import (
	"os"
	"time"

	"github.com/autoclave-run/autoclave/internal/quickjs"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// input reads frames on a goroutine of its own, since a read with a timeout is
// not to be had on every platform. The goroutine ends with the process.
type input struct {
	frames chan frame
}

type frame struct {
	h    *wire.Header
	body []byte
	err  error
}

func newInput(maxFrame int) *input {
	in := &input{frames: make(chan frame)}
	r := wire.NewReader(os.Stdin, maxFrame)
	go func() {
		for {
			h, body, err := r.Next()
			in.frames <- frame{h, body, err}
			if err != nil {
				return
			}
		}
	}()
	return in
}

func (in *input) next(timeout time.Duration) (*wire.Header, []byte, error) {
	if timeout < 0 {
		f := <-in.frames
		return f.h, f.body, f.err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case f := <-in.frames:
		return f.h, f.body, f.err
	case <-timer.C:
		return nil, nil, quickjs.ErrTimeout
	}
}

type rawOut struct{}

func (rawOut) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
