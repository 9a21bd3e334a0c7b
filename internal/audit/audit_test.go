package audit_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, cfg audit.Config) *audit.Sink {
	t.Helper()
	s, err := audit.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 3600))

func sample(id string) *audit.Record {
	return &audit.Record{
		Time: noon, ID: id, Session: "s1", Tenant: "alice",
		Program: audit.Program{Hash: audit.Hash("1+1"), Bytes: 3, Text: "1+1"},
		Code:    autoclave.ScriptError, Error: "a\nb <&> \u2028",
		Limits: []autoclave.Code{autoclave.CallLimit}, Labels: []string{"internal"},
		Calls: []audit.Call{
			{Server: "tracker", Tool: "list_issues", Arguments: audit.Hash([]byte("{}")), Decision: "allow", OK: true, Start: 1.5, Millis: 2.25, BytesOut: 2, BytesIn: 100},
			{Server: "tracker", Tool: "delete", Decision: "deny", Rule: "no deleting", Code: autoclave.PolicyDenied, Error: "no"},
			{Kind: "stash.get", Tool: "k", OK: true},
		},
		Usage:  autoclave.Usage{Run: 1500 * time.Microsecond, CPU: time.Millisecond, HeapPeak: 3 << 20, Calls: 3, BytesIn: 100, BytesOut: 2},
		Worker: &autoclave.WorkerInfo{PID: 7, Engine: "quickjs", Generation: 2, Lockdown: "strict"},
	}
}

func write(t testing.TB, s *audit.Sink, r *audit.Record) {
	t.Helper()
	if err := s.Write(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

// readAll returns the records and the errors of lines.
func readAll(t testing.TB, text string) (recs []*audit.Record, bad []error) {
	t.Helper()
	for r, err := range audit.Read(strings.NewReader(text)) {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		recs = append(recs, r)
	}
	return recs, bad
}

func file(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	s := open(t, audit.Config{Path: path})
	want := sample("1")
	want.CallsOmitted = 12
	write(t, s, want)
	text := file(t, path) // it is there when Write returns
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Errorf("it is not one line: %q", text)
	}
	recs, bad := readAll(t, text)
	if len(bad) > 0 || len(recs) != 1 {
		t.Fatalf("%d records, %v", len(recs), bad)
	}
	want.V, want.Time = audit.Version, noon.UTC()
	if !reflect.DeepEqual(recs[0], want) {
		t.Errorf("got  %+v\nwant %+v", recs[0], want)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if st := s.Stats(); st != (audit.Stats{Written: 1}) {
		t.Errorf("%+v", st)
	}
	// The keys are a promise to whoever reads the file with other tools.
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"v", "time", "id", "session", "tenant", "program", "ok", "code", "error", "limits", "labels", "calls", "calls_omitted", "usage", "worker"} {
		if keys[k] == nil {
			t.Errorf("%q is not in %s", k, text)
		}
	}
	if !strings.Contains(text, `"time":"2026-03-01T11:00:00.005Z"`) || !strings.Contains(text, `{"server":"tracker","tool":"delete","decision":"deny","rule":"no deleting","ok":false,"code":"POLICY_DENIED","error":"no","start_ms":0,"ms":0,"bytes_out":0,"bytes_in":0}`) {
		t.Errorf("the form has changed: %s", text)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	var out bytes.Buffer
	s := open(t, audit.Config{Writer: &out})
	r := sample("1")
	r.Calls[0].Error = strings.Repeat("é", 1<<20)
	write(t, s, r)
	if out.Len() > 100<<10 || !strings.Contains(out.String(), "bytes more)") {
		t.Errorf("%d bytes", out.Len())
	}
	if len(r.Calls[0].Error) != 2<<20 {
		t.Error("the caller's record was changed")
	}
}

func TestAppendsAndMendsTornLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(path, []byte(`{"v":1,"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, audit.Config{Path: path})
	write(t, s, sample("1"))
	recs, bad := readAll(t, file(t, path))
	if len(recs) != 1 || len(bad) != 1 || !strings.Contains(bad[0].Error(), "line 1: ") {
		t.Errorf("%d records, %v", len(recs), bad)
	}
}

func TestRotation(t *testing.T) {
	for _, how := range []string{"reopened", "noticed"} {
		t.Run(how, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.jsonl")
			s := open(t, audit.Config{Path: path})
			if how == "reopened" {
				write(t, s, sample("1"))
			}
			if err := os.Rename(path, path+".1"); err != nil {
				t.Skip("an open file cannot be moved here")
			}
			if how == "reopened" {
				if err := s.Reopen(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			write(t, s, sample("2")) // the first look at the name is with the first write
			if recs, _ := readAll(t, file(t, path)); len(recs) != 1 || recs[0].ID != "2" {
				t.Errorf("the new file has %d records", len(recs))
			}
		})
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "a.jsonl")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, audit.Config{Path: path})
	if err := os.Rename(filepath.Dir(path), filepath.Join(dir, "other")); err != nil {
		t.Skip("an open file cannot be moved here")
	}
	if err := s.Reopen(context.Background()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reopening where there is no directory: %v", err)
	}
	write(t, s, sample("1"))
	if recs, _ := readAll(t, file(t, filepath.Join(dir, "other", "a.jsonl"))); len(recs) != 1 {
		t.Errorf("the old file has %d records", len(recs))
	}
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	s := open(t, audit.Config{Path: "/dev/full"})
	if err := s.Write(context.Background(), sample("1")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if st := s.Stats(); st != (audit.Stats{Failed: 1}) {
		t.Errorf("%+v", st)
	}
	d := open(t, audit.Config{Path: "/dev/full", OnFailure: audit.Drop})
	for range 3 {
		write(t, d, sample("1"))
	}
	if st := d.Stats(); st != (audit.Stats{Dropped: 3}) {
		t.Errorf("%+v", st)
	}
}

// quota is a disk that is full in the middle of a line.
type quota struct {
	bytes.Buffer
	left int
}

func (q *quota) Write(p []byte) (int, error) {
	if len(p) > q.left {
		n := q.left
		q.left = 0
		q.Buffer.Write(p[:n])
		return n, syscall.ENOSPC
	}
	q.left -= len(p)
	return q.Buffer.Write(p)
}

func TestDroppedRecordsAreSaid(t *testing.T) {
	q := &quota{left: 1000}
	s := open(t, audit.Config{Writer: q, OnFailure: audit.Drop})
	for range 4 {
		write(t, s, sample("lost"))
	}
	lost := s.Stats().Dropped
	if lost == 0 {
		t.Fatal("nothing was dropped")
	}
	q.left = 1 << 20
	write(t, s, sample("after"))
	write(t, s, sample("after"))
	recs, bad := readAll(t, q.String())
	if len(bad) != 1 { // the torn one
		t.Errorf("%d lines are no records: %v", len(bad), bad)
	}
	n := len(recs)
	if n < 3 || recs[n-3].Dropped != lost || recs[n-2].ID != "after" || recs[n-1].ID != "after" {
		t.Errorf("records are %+v", recs)
	}
}

// stuck is a writer that hangs until it is let go.
type stuck struct {
	enter, leave chan struct{}
	mu           sync.Mutex
	lines        int
}

func (w *stuck) Write(p []byte) (int, error) {
	w.enter <- struct{}{}
	<-w.leave
	w.mu.Lock()
	w.lines += bytes.Count(p, []byte("\n"))
	w.mu.Unlock()
	return len(p), nil
}

func TestSlowWriter(t *testing.T) {
	for _, consequence := range []audit.Consequence{audit.Fail, audit.Drop} {
		t.Run(string(consequence), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &stuck{enter: make(chan struct{}, 10), leave: make(chan struct{})}
				s, err := audit.Open(audit.Config{Writer: w, OnFailure: consequence, Timeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				start := time.Now()
				for range 5 {
					wg.Go(func() {
						err := s.Write(context.Background(), sample("1"))
						if (err != nil) != (consequence == audit.Fail) {
							t.Errorf("got %v", err)
						}
					})
				}
				wg.Wait()
				if took := time.Since(start); took != time.Second {
					t.Errorf("it took %v, want a second", took)
				}
				st := s.Stats()
				if st.Written != 0 || st.Failed+st.Dropped != 5 {
					t.Errorf("%+v", st)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if err := s.Close(ctx); err == nil {
					t.Error("Close did not say that a write hangs")
				}
				close(w.leave)
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
				// Those that were given up before their turn are not written.
				if w.lines != 1 {
					t.Errorf("%d lines were written", w.lines)
				}
				err = s.Write(context.Background(), sample("1"))
				if consequence == audit.Fail && !errors.Is(err, audit.ErrClosed) || consequence == audit.Drop && err != nil {
					t.Errorf("Write after Close: %v", err)
				}
				if st := s.Stats(); st.Failed+st.Dropped != 6 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// TestCloseEndsWritesThatHang: with no bound on a write, Close alone ends those
// who wait, at the latest when its context ends. It used to wait for them.
func TestCloseEndsWritesThatHang(t *testing.T) {
	for _, consequence := range []audit.Consequence{audit.Fail, audit.Drop} {
		t.Run(string(consequence), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &stuck{enter: make(chan struct{}, 10), leave: make(chan struct{})}
				s, err := audit.Open(audit.Config{Writer: w, OnFailure: consequence, Timeout: -1})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				var wg sync.WaitGroup
				write := func(most time.Duration) {
					wg.Go(func() {
						err := s.Write(context.Background(), sample("1"))
						if consequence == audit.Fail && !errors.Is(err, audit.ErrClosed) || consequence == audit.Drop && err != nil {
							t.Errorf("got %v", err)
						}
						if took := time.Since(start); took != most {
							t.Errorf("it took %v, want %v", took, most)
						}
					})
				}
				write(time.Minute + time.Second) // under way
				<-w.enter
				for range 3 {
					write(time.Minute) // waiting for their turn
				}
				time.Sleep(time.Minute)
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Close: %v", err)
				}
				if took := time.Since(start); took != time.Minute+time.Second {
					t.Errorf("Close returned after %v", took)
				}
				wg.Wait()
				if st := s.Stats(); st.Written != 0 || st.Failed+st.Dropped != 4 {
					t.Errorf("%+v", st)
				}
				close(w.leave)
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestCloseWaitsForTheWriteUnderWay: one that ends in time is no failure.
func TestCloseWaitsForTheWriteUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stuck{enter: make(chan struct{}, 1), leave: make(chan struct{})}
		s, err := audit.Open(audit.Config{Writer: w, Timeout: -1})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { write(t, s, sample("1")) })
		<-w.enter
		time.AfterFunc(time.Second, func() { close(w.leave) })
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if st := s.Stats(); st != (audit.Stats{Written: 1}) || w.lines != 1 {
			t.Errorf("%+v, %d lines", st, w.lines)
		}
	})
}

func TestNewID(t *testing.T) {
	a, b := audit.NewID(), audit.NewID()
	if raw, err := hex.DecodeString(a); err != nil || len(raw) != 8 || a == b {
		t.Errorf("%q and %q", a, b)
	}
}

func TestConcurrentLinesAreWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	a, b := open(t, audit.Config{Path: path}), open(t, audit.Config{Path: path})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := a
			if i%2 == 0 {
				s = b
			}
			for range 50 {
				write(t, s, sample("x"))
			}
			if err := s.Reopen(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if recs, bad := readAll(t, file(t, path)); len(recs) != 400 || len(bad) != 0 {
		t.Errorf("%d records, %v", len(recs), bad)
	}
}

func TestCancelledContext(t *testing.T) {
	s := open(t, audit.Config{Writer: &bytes.Buffer{}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	// It may be written all the same; if not, the error is that of ctx.
	if err := s.Write(ctx, sample("1")); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestConfigErrors(t *testing.T) {
	for says, cfg := range map[string]audit.Config{
		"Path":         {},
		"OnFailure":    {Path: audit.Stderr, OnFailure: "ignore"},
		"is a directo": {Path: t.TempDir()},
		"no such file": {Path: filepath.Join(t.TempDir(), "nope", "a")},
	} {
		if _, err := audit.Open(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s := open(b, audit.Config{Path: filepath.Join(b.TempDir(), "a.jsonl")})
	r := sample("1")
	b.ReportAllocs()
	for b.Loop() {
		write(b, s, r)
	}
}
