//go:build unix

package reload_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/reload"
)

func TestHangups(t *testing.T) {
	now, stop := reload.Hangups()
	defer stop()
	w, err := reload.New(reload.Config{Path: file(t, "one"), Interval: -1, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	read := false
	w.Run(ctx, func(context.Context) {
		read = true
		cancel()
	})
	if !read {
		t.Error("a signal came to nothing")
	}
}
