package pool_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

// TestRetryAfter: three are in line for one worker, and leases take 2 s: whoever
// comes next would be the fourth.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1, MaxQueue: 3, MaxQueuePerTenant: 3})
		for range 3 {
			l := mustAcquire(t, p, "a")
			time.Sleep(2 * time.Second)
			l.Release()
		}
		l := mustAcquire(t, p, "a")
		served := make(chan string, 3)
		inLine(t, p, "a", 3, 0, served)
		var overloaded *pool.OverloadedError
		if _, err := p.Acquire(t.Context(), "a"); !errors.As(err, &overloaded) || overloaded.RetryAfter != 8*time.Second {
			t.Errorf("%v, want to retry after 8 s", err)
		}
		l.Release()
		mustClose(t, p)
	})
}

func TestWaitHistogram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1})
		for _, wait := range []time.Duration{time.Millisecond, time.Millisecond + 1, 2 * time.Minute} {
			l := mustAcquire(t, p, "a")
			time.AfterFunc(wait, l.Release)
			l = mustAcquire(t, p, "a")
			if l.Waited() != wait {
				t.Errorf("waited %v, want %v", l.Waited(), wait)
			}
			l.Release()
			synctest.Wait()
		}
		h := p.Stats().Wait
		at := map[time.Duration]uint64{}
		for i, n := range h.Counts[:len(h.Bounds)] {
			at[h.Bounds[i]] = n
		}
		// The very first one waited too, for the first spawn: no time at all.
		if at[time.Millisecond] != 1 || at[2500*time.Microsecond] != 1 || h.Counts[len(h.Bounds)] != 1 || h.Count != 4 {
			t.Errorf("%+v", h)
		}
		if h.Sum != 2*time.Minute+2*time.Millisecond+1 {
			t.Errorf("Sum is %v", h.Sum)
		}
		mustClose(t, p)
	})
}

// TestLog: what the operator must know is a warning, what goes its course is not.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := mustNew(t, pool.Config[*fake]{MaxWorkers: 1, MaxUses: 1, Logger: slog.New(slog.NewTextHandler(&out, nil))})
		mustAcquire(t, p, "a").Release()
		synctest.Wait()
		if out.Len() != 0 {
			t.Errorf("a worker that was used up is logged: %s", out.String())
		}
		mustAcquire(t, p, "a").Discard(errors.New("it crashed"))
		mustClose(t, p)
		for _, want := range []string{"level=WARN", "reason=error", "tenant=a", "it crashed"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the log does not say %q: %s", want, out.String())
			}
		}
	})
}
