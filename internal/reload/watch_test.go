package reload_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/autoclave-run/autoclave/internal/reload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// buffer may be written to and read at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// watched is a file that is watched in a bubble of fake time.
type watched struct {
	t    *testing.T
	path string
	now  chan os.Signal
	log  buffer

	mu   sync.Mutex
	read []string // what each reload found
}

// watch runs the test with a Watcher of the file path, which must be there.
func watch(t *testing.T, path string, f func(w *watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t, path: path, now: make(chan os.Signal, 1)}
		watcher, err := reload.New(reload.Config{Path: path, Now: w.now, Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			watcher.Run(ctx, func(context.Context) {
				data, err := os.ReadFile(path)
				if err != nil {
					data = []byte(err.Error())
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				w.read = append(w.read, string(data))
			})
		}()
		f(w)
		stop()
		<-done
	})
}

// pass lets time pass, and wants these contents to be read in it.
func (w *watched) pass(d time.Duration, want ...string) {
	w.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if fmt.Sprintf("%q", w.read) != fmt.Sprintf("%q", want) {
		w.t.Errorf("read %q, want %q", w.read, want)
	}
	w.read = nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "autoclave.toml")
	write(t, path, text)
	return path
}

const look = 1500 * time.Millisecond // more than an interval and the quiet time

func TestWatch(t *testing.T) {
	path := file(t, "one")
	watch(t, path, func(w *watched) {
		w.pass(10 * time.Second)
		write(t, path, "two")
		w.pass(look, "two")
		w.pass(10 * time.Second)

		// Touched, and written with what was in it.
		if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		w.pass(look)
		write(t, path, "two")
		w.pass(10 * time.Second)

		// Renamed over, as editors do; then back to the old content.
		other := path + "~"
		write(t, other, "six")
		if err := os.Rename(other, path); err != nil {
			t.Fatal(err)
		}
		w.pass(look, "six")
		write(t, path, "two")
		w.pass(look, "two")

		// The old one taken away first, for longer than a look.
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		w.pass(look)
		write(t, path, "ten")
		w.pass(look, "ten")
		if s := w.log.String(); s != "" {
			t.Errorf("logged %s", s)
		}
	})
}

// TestWatchSameSizeAndTime is a change that no stat shows: made within one step
// of the file system's clock.
func TestWatchSameSizeAndTime(t *testing.T) {
	path := file(t, "one")
	watch(t, path, func(w *watched) {
		at := time.Now()
		for _, text := range []string{"two", "six"} {
			write(t, path, text)
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
			w.pass(look, text)
		}
		// Where the time is long past the content is not read again each
		// second. So somebody who turns back the clock of a file is not noticed,
		// until it is demanded.
		w.pass(10 * time.Second)
		write(t, path, "ten")
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		w.pass(10 * time.Second)
		w.now <- os.Interrupt
		w.pass(0, "ten")
	})
}

// TestWatchWriting is a file that is being written for a while.
func TestWatchWriting(t *testing.T) {
	path := file(t, "old")
	watch(t, path, func(w *watched) {
		time.Sleep(50 * time.Millisecond)
		text := ""
		for range 20 { // 2 s
			text += "more "
			write(t, path, text)
			w.pass(100 * time.Millisecond)
		}
		w.pass(look, text)
		w.pass(10 * time.Second)

		// One that never comes to rest is taken as it is after some seconds.
		before := len(w.read)
		for range 100 {
			text += "."
			write(t, path, text)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		w.mu.Lock()
		if n := len(w.read) - before; n < 1 || n > 3 {
			t.Errorf("read %d times in 10 s of writing", n)
		}
		w.read = nil
		w.mu.Unlock()
	})
}

func TestWatchGone(t *testing.T) {
	path := file(t, "old")
	watch(t, path, func(w *watched) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		if s := w.log.String(); strings.Count(s, "stays in force") != 1 || !strings.Contains(s, "level=WARN") {
			t.Errorf("logged %s", s)
		}
		// A directory is nothing to be read, nor is a pipe, which is not opened.
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		write(t, path, "old")
		w.pass(look)
		if s := w.log.String(); strings.Count(s, "is back") != 1 {
			t.Errorf("logged %s", s)
		}
		write(t, path, "new")
		w.pass(look, "new")
	})
}

// TestWatchLinks swaps the middle of a chain of links, as Kubernetes does where
// a ConfigMap has changed.
func TestWatchLinks(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, in(name+".tmp")); err != nil {
			t.Skip("no symbolic links here:", err)
		}
		if err := os.Rename(in(name+".tmp"), in(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []string{"1", "2"} {
		if err := os.Mkdir(in("..data_"+v), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, in("..data_"+v+"/autoclave.toml"), "version "+v)
	}
	link("..data_1", "..data")
	link("..data/autoclave.toml", "autoclave.toml")
	watch(t, in("autoclave.toml"), func(w *watched) {
		w.pass(10 * time.Second)
		link("..data_2", "..data")
		if err := os.RemoveAll(in("..data_1")); err != nil {
			t.Fatal(err)
		}
		w.pass(look, "version 2")
		w.pass(10 * time.Second)
	})
}

// TestWatchNow demands it, changed or not.
func TestWatchNow(t *testing.T) {
	path := file(t, "one")
	watch(t, path, func(w *watched) {
		w.now <- os.Interrupt
		w.pass(0, "one")
		write(t, path, "two")
		w.now <- os.Interrupt
		w.pass(0, "two")
		w.pass(10 * time.Second) // the change is known
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		w.now <- os.Interrupt // who reads it says what is wrong
		time.Sleep(0)
		synctest.Wait()
		w.mu.Lock()
		if len(w.read) != 1 || !strings.Contains(w.read[0], "autoclave.toml") {
			t.Errorf("read %q", w.read)
		}
		w.read = nil
		w.mu.Unlock()
		write(t, path, "two")
		w.pass(look, "two")
	})
}

// TestWatchFromTheBeginning changes the file between New and Run.
func TestWatchFromTheBeginning(t *testing.T) {
	path := file(t, "one")
	synctest.Test(t, func(t *testing.T) {
		w, err := reload.New(reload.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, "two")
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		n := 0
		w.Run(ctx, func(context.Context) { n++ })
		if n != 1 {
			t.Errorf("it was read %d times", n)
		}
	})
}

func TestNever(t *testing.T) {
	path := file(t, "one")
	synctest.Test(t, func(t *testing.T) {
		w, err := reload.New(reload.Config{Path: path, Interval: -1})
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, "two")
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		w.Run(ctx, func(context.Context) { t.Error("it was read") })
	})
}

func TestNew(t *testing.T) {
	for want, cfg := range map[string]reload.Config{
		"Config.Path is empty":     {},
		"Config.Quiet is -1ns: it": {Path: "x", Quiet: -1},
	} {
		if _, err := reload.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// BenchmarkLook is what a second costs in which nothing happens.
func BenchmarkLook(b *testing.B) {
	path := filepath.Join(b.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, 8<<10), 0o600); err != nil {
		b.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		b.Fatal(err)
	}
	w, err := reload.New(reload.Config{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		w.Look()
	}
}
