//go:build unix

package upstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/upstream"
)

func TestClose(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks at /proc")
	}
	for _, c := range []struct {
		mode string
		now  bool
	}{{"plain", false}, {"leaves a child", false}, {"stubborn", false}, {"stubborn", true}} {
		t.Run(fmt.Sprintf("%s, now %t", c.mode, c.now), func(t *testing.T) {
			cfg := fakeConfig(t, c.mode)
			if c.now {
				cfg.Grace = time.Hour
			}
			u := connect(t, cfg)
			pids := structured[struct{ PIDs []int }](t, u, "pids").PIDs
			for _, pid := range pids {
				if pid != 0 && !alive(pid) {
					t.Fatalf("process %d is not there", pid)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if c.now {
				cancel()
			}
			hung := make(chan error, 1)
			go func() {
				_, err := u.Call(t.Context(), "hang", nil)
				hung <- err
			}()
			callID(t, u)
			var all sync.WaitGroup
			for range 3 { // at once and again
				all.Go(func() {
					if err := u.Close(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			wantKind(t, <-hung, upstream.Closed)
			_, err := u.Call(t.Context(), "raw", nil)
			wantKind(t, err, upstream.Closed)
			// The leader was waited for. What else was in its group has been
			// sent SIGKILL, which takes effect in its own time.
			if alive(pids[0]) {
				t.Errorf("process %d is still there", pids[0])
			}
			for _, pid := range pids[1:] {
				poll(t, "the end of a grandchild", func() bool { return pid == 0 || !alive(pid) })
			}
		})
	}
}

// TestCrashLeavesNothing kills the leader: its child must not survive it.
func TestCrashLeavesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks at /proc")
	}
	u := connect(t, fakeConfig(t, "leaves a child"))
	pids := structured[struct{ PIDs []int }](t, u, "pids").PIDs
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-u.Done()
	if e := wantKind(t, u.Err(), upstream.Unavailable); !strings.Contains(e.Message, "signal: killed") {
		t.Errorf("got %v", e)
	}
	poll(t, "the end of the grandchild", func() bool { return !alive(pids[1]) })
}

func TestEnvironment(t *testing.T) {
	t.Setenv("AUTOCLAVE_TEST_SECRET", "hush")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	type environment struct {
		Env []string
		Dir string
	}
	cfg := fakeConfig(t, "plain")
	cfg.Dir = dir
	cfg.Env = append(cfg.Env, "TOKEN=t0k3n")
	got := structured[environment](t, connect(t, cfg), "environment")
	if got.Dir != dir {
		t.Errorf("directory %s, want %s", got.Dir, dir)
	}
	if !slices.Contains(got.Env, "TOKEN=t0k3n") || !slices.Contains(got.Env, "PATH="+os.Getenv("PATH")) {
		t.Errorf("got %q", got.Env)
	}
	allowed := []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "TOKEN", fakeVar}
	for _, e := range got.Env {
		if name, _, _ := strings.Cut(e, "="); !slices.Contains(allowed, name) {
			t.Errorf("the server has %s in its environment", name)
		}
	}
	cfg.BareEnv = true
	if got := structured[environment](t, connect(t, cfg), "environment"); !slices.Equal(got.Env, cfg.Env) {
		t.Errorf("bare: got %q, want %q", got.Env, cfg.Env)
	}
}

func TestStderr(t *testing.T) {
	var log lockedBuffer
	cfg := fakeConfig(t, "plain")
	cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	u := connect(t, cfg)
	// Two megabytes and more: a server whose stderr nobody reads would stop.
	if _, err := u.Call(t.Context(), "flood", json.RawMessage(`{"n":500}`)); err != nil {
		t.Fatal(err)
	}
	closeNow(t, u)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) > 400 {
		t.Errorf("%d lines were logged", len(lines))
	}
	var first struct{ Server, Line, Msg string }
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	if first.Server != "fake" || !strings.HasPrefix(first.Line, "line 0 eee") || len(first.Line) > 2048 {
		t.Errorf("got %+v", first)
	}
	if !strings.Contains(log.String(), "lines left out") {
		t.Error("nothing says that lines were left out")
	}
}

// alive reports whether a process runs. One that is dead and not reaped, by
// whoever inherited it, does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	i := bytes.LastIndexByte(stat, ')')
	return i+2 < len(stat) && stat[i+2] != 'Z' && stat[i+2] != 'X'
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
