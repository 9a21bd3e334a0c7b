package audit_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/audit"
)

func TestPipeThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(audit.Config{Path: path}); err == nil {
		t.Error("a pipe without a reader was opened")
	}
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s := open(t, audit.Config{Path: path, Timeout: 20 * time.Millisecond})
	for range 1000 { // until the pipe is full
		if err = s.Write(context.Background(), sample("1")); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("all of it went into the pipe")
	}
}
