package pool_test

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

var (
	sequences = flag.Int("pool.sequences", 0, "how many sequences TestModel runs (0: 100,000; 4,000 with -short or -race)")
	seed      = flag.Uint64("pool.seed", 0, "seed of TestModel's sequences (0: a new one)")
	replay    = flag.String("pool.replay", "", "a sequence in hexadecimal that TestModel runs and prints, instead of random ones")
)

// A sequence is some bytes of configuration, and then two a step: what happens,
// and to whom.
const configBytes = 8

// The steps, as often as they shall be chosen.
var steps = func() []string {
	var s []string
	for name, weight := range map[string]int{
		"acquire": 24, "try": 6, "cancel": 8, "release": 18, "discard": 4, "again": 2,
		"spawn ok": 20, "spawn fails": 5, "reset ok": 14, "reset fails": 3, "bloated": 2, "deafen": 2, "stubborn": 2,
		"die": 6, "bury": 14, "clock": 14, "generation": 2, "prewarm": 2, "drain": 1, "close": 1,
	} {
		for range weight {
			s = append(s, name)
		}
	}
	// A map has no order, and a replay needs one.
	for i := range s {
		for j := i + 1; j < len(s); j++ {
			if s[j] < s[i] {
				s[i], s[j] = s[j], s[i]
			}
		}
	}
	return s
}()

func pick[T any](b byte, of ...T) T { return of[int(b)%len(of)] }

// modelConfig reads a configuration; those that New would refuse are mended.
func modelConfig(b []byte) pool.Config[*worker] {
	maxWorkers := pick(b[0], 1, 2, 3, 4)
	maxQueue := pick(b[5], 2, 4, 1024)
	return pool.Config[*worker]{
		MaxWorkers:        maxWorkers,
		MinWorkers:        min(maxWorkers, pick(b[1], -1, 0, 1, 2, 3)),
		MinIdle:           min(maxWorkers, pick(b[2], -1, 0, 1, 2)),
		Reserve:           min(maxWorkers-1, pick(b[3]>>4, 0, 0, 1, 2)),
		MaxUses:           pick(b[3], 1, 2, 3, -1),
		MaxLifetime:       pick(b[4], time.Second, 90*time.Second, -1),
		MaxIdleTime:       pick(b[4]>>4, 1, 200*time.Millisecond, time.Minute, -1),
		MaxQueue:          maxQueue,
		MaxQueuePerTenant: min(maxQueue, pick(b[6], 0, 1, 3)),
		MaxQueueWait:      pick(b[7], 0, 0, 20*time.Millisecond, 300*time.Millisecond),
		SpawnTimeout:      pick(b[7]>>4, 0, 100*time.Millisecond, -1),
	}
}

// TestModel runs random sequences of events against a pool in fake time, and
// after each step compares the pool with what the world around it has seen. A
// sequence that fails is made as short as possible and printed, with the flag that
// replays it. Leases are never dropped here: the garbage collector does not keep
// fake time.
func TestModel(t *testing.T) {
	if *replay != "" {
		b, err := hex.DecodeString(*replay)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			if err := run(b, t.Logf); err != nil {
				t.Fatal(err)
			}
		})
		return
	}
	n := *sequences
	if n == 0 {
		n = 100_000
		if testing.Short() || raceEnabled {
			n = 4_000
		}
	}
	first := *seed
	if first == 0 {
		first = rand.Uint64()
	}
	t.Logf("%d sequences, -pool.seed=%d", n, first)
	shards := runtime.GOMAXPROCS(0)
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(first, uint64(shard)))
			for left := n / shards; left > 0 && !t.Failed(); left -= 200 {
				synctest.Test(t, func(t *testing.T) { batch(t, rng, min(left, 200)) })
			}
		})
	}
}

// batch runs n random sequences in one bubble.
func batch(t *testing.T, rng *rand.Rand, n int) {
	for range n {
		b := make([]byte, configBytes+2*(10+rng.IntN(60)))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if err := run(b, nil); err != nil {
			b, err = shrink(b, err)
			trace := &strings.Builder{}
			_ = run(b, func(format string, args ...any) { fmt.Fprintf(trace, format+"\n", args...) })
			t.Fatalf("%v\n%sgo test ./pool -run TestModel -pool.replay=%x", err, trace, b)
		}
	}
}

// FuzzModel lets the fuzzer look for sequences.
func FuzzModel(f *testing.F) {
	f.Add(make([]byte, configBytes+20))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < configBytes || len(b) > 400 {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			if err := run(b, nil); err != nil {
				b, err = shrink(b, err)
				t.Fatalf("%v\ngo test ./pool -run TestModel -pool.replay=%x", err, b)
			}
		})
	})
}

// shrink leaves out of a failing sequence what it does not need to fail.
func shrink(b []byte, err error) ([]byte, error) {
	if errors.Is(err, errStuck) {
		return b, err // its goroutines are still there: nothing more can be run here
	}
	for size := (len(b) - configBytes) / 4 * 2; size >= 2; size = size / 4 * 2 {
		for at := configBytes; at+size <= len(b); {
			shorter := append(append([]byte{}, b[:at]...), b[at+size:]...)
			if e := run(shorter, nil); e != nil && !errors.Is(e, errStuck) {
				b, err = shorter, e
			} else {
				at += size
			}
		}
	}
	return b, err
}

// errStuck is that of a sequence after which the pool does not close.
var errStuck = errors.New("the pool is stuck")

// model is one run of one sequence.
type model struct {
	*world
	cfg     pool.Config[*worker] // as given
	min     struct{ workers, idle int }
	pool    *pool.Pool[*worker]
	step    int
	log     func(string, ...any)
	tracing bool
	ending  int  // 1: Drain was called, 2: Close was
	hurried bool // this step is not waited for
	raced   bool // the one before it was not
	last    pool.Stats
	retryIn time.Duration     // until the next attempt to spawn, when last seen
	passed  map[[2]string]int // see checkTurns
	old     []*pool.Lease[*worker]
	running int // goroutines other than those of acquire
	ctx     context.Context
}

// run runs a sequence, and returns what was wrong. It must be called in a bubble.
func run(b []byte, log func(string, ...any)) (err error) {
	m := &model{world: &world{}, cfg: modelConfig(b), log: log, passed: map[[2]string]int{}}
	m.tracing = log != nil
	if !m.tracing {
		m.log = func(string, ...any) {}
	}
	m.min.workers, m.min.idle = max(0, m.cfg.MinWorkers), max(0, m.cfg.MinIdle)
	if m.cfg.MinWorkers == 0 {
		m.min.workers = min(2, m.cfg.MaxWorkers)
	}
	if m.cfg.MinIdle == 0 {
		m.min.idle = 1
	}
	m.min.idle = max(m.min.idle, m.cfg.Reserve)
	m.log("config: %+v", m.cfg)
	m.cfg.Spawn = m.spawn
	if m.pool, err = pool.NewExact(m.cfg); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.ctx = ctx
	synctest.Wait()
	err = m.check("new")
	for i := configBytes; i+1 < len(b) && err == nil; i += 2 {
		m.step++
		what := steps[int(b[i])%len(steps)]
		err = m.do(what, b[i+1])
		// Some steps are not waited for: the next one races with them.
		m.raced = m.hurried
		m.hurried = b[i+1]&0x60 == 0x60 && i+3 < len(b) && racy(what) && racy(steps[int(b[i+2])%len(steps)])
		if err == nil && !m.hurried {
			err = m.check(what)
		}
	}
	if err == nil && b[0]&16 == 0 {
		err = m.recover()
	}
	if e := m.end(cancel); err == nil || errors.Is(e, errStuck) {
		err = e
	}
	if err != nil {
		err = fmt.Errorf("step %d: %w", m.step, err)
	}
	return err
}

// racy says whether a step may coincide with another such step, and the model
// still knows what to expect of the two.
func racy(what string) bool {
	switch what {
	case "cancel", "release", "spawn ok", "reset ok":
		return true
	}
	return false
}

// do makes one step. One for which nobody is there is none.
func (m *model) do(what string, arg byte) error {
	tenant := string(rune('a' + arg%3))
	m.mu.Lock()
	best := m.best(tenant)
	m.mu.Unlock()
	if what != "clock" {
		m.log("%3d %s (%d)", m.step, what, arg)
	}
	switch what {
	case "acquire", "try":
		return m.acquire(tenant, what == "try", best)
	case "cancel":
		if c := one(m, arg, m.waiting); c != nil {
			c.cancel()
		}
	case "release", "discard":
		if c := one(m, arg, m.leases); c != nil {
			l := m.giveBack(c)
			if what == "release" {
				l.Release()
			} else {
				l.Discard(errScripted)
			}
		}
	case "again":
		for _, l := range m.old {
			l.Release()
			l.Discard(errScripted)
		}
	case "spawn ok", "spawn fails":
		if s := one(m, arg, func() []*spawnCall { return m.spawns }); s != nil {
			if what == "spawn ok" {
				answer(s.answer, nil)
			} else {
				answer(s.answer, errScripted)
			}
		}
	case "reset ok", "reset fails", "bloated":
		if k := one(m, arg, func() []*worker { return m.which((*worker).resetting) }); k != nil {
			m.mu.Lock()
			switch what {
			case "reset fails":
				answer(k.pending, errScripted)
			case "bloated":
				k.memory = 64 << 20
				fallthrough
			default:
				answer(k.pending, nil)
			}
			m.mu.Unlock()
		}
	case "deafen":
		if k := one(m, arg, func() []*worker { return m.which((*worker).leased) }); k != nil {
			m.mu.Lock()
			k.deaf = true
			m.mu.Unlock()
		}
	case "stubborn":
		m.mu.Lock()
		m.stubborn = !m.stubborn
		m.mu.Unlock()
	case "die":
		if k := one(m, arg, func() []*worker { return m.which((*worker).alive) }); k != nil {
			m.mu.Lock()
			k.diedAs = pool.ReasonDied
			if k.leased() {
				k.diedAs = pool.ReasonError
			} else if k.resetting() {
				k.diedAs = pool.ReasonReset
			}
			k.bury()
			m.mu.Unlock()
		}
	case "bury":
		if k := one(m, arg, func() []*worker { return m.which((*worker).dying) }); k != nil {
			m.mu.Lock()
			k.bury()
			m.mu.Unlock()
		}
	case "clock":
		d := pick(arg, time.Millisecond, 10*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond,
			200*time.Millisecond, 500*time.Millisecond, time.Second, 5*time.Second, 30*time.Second, 2*time.Minute)
		m.log("%3d clock %v", m.step, d)
		time.Sleep(d)
	case "generation":
		if m.ending < 2 {
			m.bumps++
		}
		m.pool.Reset()
	case "prewarm":
		m.goes(func() { _, _ = m.pool.PreWarm(m.ctx) })
	case "drain", "close":
		if arg&3 != 0 {
			break // seldom: little can be seen of a pool after it
		}
		f := m.pool.Drain
		if what == "close" {
			f = m.pool.Close
			m.ending = 2
		}
		m.ending = max(m.ending, 1)
		m.goes(func() { _ = f(m.ctx) })
	}
	return nil
}

// goes runs f, and has end wait for it.
func (m *model) goes(f func()) {
	m.running++
	go func() {
		f()
		m.mu.Lock()
		m.running--
		m.mu.Unlock()
	}()
}

// one chooses one of several by arg.
func one[T any](m *model, arg byte, of func() []*T) *T {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := of()
	if len(all) == 0 {
		return nil
	}
	return all[int(arg)%len(all)]
}

// best returns the idle workers of whom an acquire for tenant must get one: its
// own that became idle last, or the unbound ones that did, unless they are in
// reserve. Called with world.mu.
func (m *model) best(tenant string) []*worker {
	for _, own := range []bool{true, false} {
		if !own && m.reserve() > 0 && m.held(tenant) > 0 && len(m.which(m.armed)) <= m.reserve() {
			return nil
		}
		var best []*worker
		for _, k := range m.which((*worker).idle) {
			if own && (k.uses == 0 || k.tenant != tenant) || !own && k.uses != 0 {
				continue
			}
			if len(best) > 0 && k.idleStep > best[0].idleStep {
				best = nil
			}
			if len(best) == 0 || k.idleStep == best[0].idleStep {
				best = append(best, k)
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// held is how many workers the tenant has. Called with world.mu.
func (m *model) held(tenant string) int {
	return len(m.which(func(k *worker) bool { return k.alive() && k.uses > 0 && k.tenant == tenant }))
}

// reserve is how many armed workers only those may have who hold none. Called
// with world.mu.
func (m *model) reserve() int {
	if m.ending > 0 || m.retryIn > 0 && m.coming() == 0 {
		return 0
	}
	return m.cfg.Reserve
}

// acquire makes an Acquire or TryAcquire and compares its outcome with what the
// model expects: a worker at once exactly if there is one to be had.
func (m *model) acquire(tenant string, try bool, best []*worker) error {
	ctx, cancel := context.WithCancel(m.ctx)
	c := &call{tenant: tenant, cancel: cancel, since: time.Now(), try: try}
	m.mu.Lock()
	before := len(m.waiting())
	m.calls = append(m.calls, c)
	m.mu.Unlock()
	if try {
		l, err := m.pool.TryAcquire(tenant)
		m.finish(c, l, err)
	} else {
		go func() {
			l, err := m.pool.Acquire(ctx, tenant)
			m.finish(c, l, err)
		}()
	}
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	var overloaded *pool.OverloadedError
	var spawn *pool.SpawnError
	switch {
	case m.ending > 0:
		if !c.over || c.err != pool.ErrClosed {
			return fmt.Errorf("an acquire after the end: %v, want ErrClosed", c.err)
		}
	case len(best) > 0:
		if !c.over || c.err != nil {
			return fmt.Errorf("a worker is idle for %q, but: over %v, %v", tenant, c.over, c.err)
		}
		for _, k := range best {
			if c.lease.Worker() == k {
				return nil
			}
		}
		return fmt.Errorf("%q got another worker than the one that became idle last", tenant)
	case c.over && c.err == nil:
		return fmt.Errorf("%q got a worker though none was idle for it", tenant)
	case c.over && errors.As(c.err, &spawn):
		if !errors.Is(c.err, errScripted) && !errors.Is(c.err, context.DeadlineExceeded) && !strings.Contains(c.err.Error(), "in a row") {
			return fmt.Errorf("a SpawnError of unknown origin: %w", c.err)
		}
		if spawn.RetryAfter < 0 {
			return fmt.Errorf("RetryAfter is %v", spawn.RetryAfter)
		}
	case c.over && errors.As(c.err, &overloaded):
		if overloaded.RetryAfter <= 0 {
			return fmt.Errorf("RetryAfter is %v", overloaded.RetryAfter)
		}
		perTenant := m.cfg.MaxQueuePerTenant
		if perTenant == 0 {
			perTenant = m.cfg.MaxQueue / 2
		}
		own := 0
		for _, o := range m.waiting() {
			if o.tenant == tenant {
				own++
			}
		}
		if !try && before < m.cfg.MaxQueue && own < perTenant {
			return fmt.Errorf("refused with %d in line, %d of them of %q: %w", before, own, tenant, c.err)
		}
	case c.over:
		return fmt.Errorf("Acquire: %w", c.err)
	}
	return nil
}

// giveBack notes that the lease of c is at its end.
func (m *model) giveBack(c *call) *pool.Lease[*worker] {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := c.lease
	c.lease = nil
	l.Worker().lease = nil
	m.old = append(m.old, l)
	return l
}
