package quickjs

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// deafPort answers nothing.
type deafPort struct{}

func (deafPort) Call(Call) error                          { return nil }
func (deafPort) Log(string, string, bool) error           { return nil }
func (deafPort) Emit([]byte) error                        { return nil }
func (deafPort) Progress(float64, *float64, string) error { return nil }
func (deafPort) Poll() (Event, bool, error)               { return Event{}, false, nil }
func (deafPort) Wait(timeout time.Duration) (Event, error) {
	if timeout < 0 {
		return Event{Cancel: true}, nil
	}
	return Event{}, ErrTimeout
}

// After Arm every byte of the heap is what it was: the image, and zeroes above
// it. This is what stands behind the promise of a fresh isolate.
func TestArmRestoresEveryByte(t *testing.T) {
	e, err := New(Config{HeapLimit: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	programs := []string{
		"1+1",
		"const a = []; for (let i = 0; i < 1000; i++) a.push({ i, s: 'x' + i }); a.length",
		"const a = []; for (;;) a.push(new Array(100).fill(a))",
		"'x'.repeat(10e6).length",
		"new Promise(() => {})",
		"tools.s.t(); await sleep(1)",
		"function f() { f() } f()",
		"for (;;) ;",
		"syntax error here",
		"Object.defineProperty(Object.prototype, 'x', { get() { throw 1 } }); await tools.s.t()",
	}
	check := func(what string) {
		t.Helper()
		h := e.heap
		if err := h.check(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !bytes.Equal(h.bytes(0, uint64(len(e.image))), e.image) {
			t.Fatalf("%s: the heap differs from the image", what)
		}
		zero := make([]byte, 1<<16)
		for at := uint64(len(e.image)); at < h.size; at += uint64(len(zero)) {
			b := h.bytes(at, min(at+uint64(len(zero)), h.size))
			if !bytes.Equal(b, zero[:len(b)]) {
				t.Fatalf("%s: something is left above the image, near byte %d of %d", what, at, h.size)
			}
		}
	}
	check("new")
	for _, src := range programs {
		if _, err := e.Run(Program{Source: []byte(src), Limits: wire.Limits{CPU: 50}}, deafPort{}); err != nil {
			t.Fatal(err)
		}
		if err := e.heap.check(); err != nil {
			t.Fatalf("after %q: %v", src, err)
		}
		if e.tls.StackSlots() != 0 || !e.atRest() {
			t.Fatalf("after %q: %d slots of the C stack are in use", src, e.tls.StackSlots())
		}
		if err := e.Arm(16<<20, 0); err != nil {
			t.Fatal(err)
		}
		check(src)
	}
}

// Nothing grows from execution to execution, in Go's heap or in the process.
func TestTenThousandExecutions(t *testing.T) {
	e, err := New(Config{HeapLimit: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	n := 10_000
	if testing.Short() || raceEnabled {
		n = 100
	}
	one := func(i int) {
		src := "async () => { const r = []; for (let i = 0; i < 20; i++) r.push({ i, at: new Date(0) }); tools.s.t(r); setTimeout(() => {}, 1); return r.length }"
		if i%100 == 0 {
			src = "const a = []; for (;;) a.push(new Array(100).fill(0))"
		}
		out, err := e.Run(Program{Source: []byte(src), Limits: wire.Limits{CPU: 5000}}, deafPort{})
		if err != nil {
			t.Fatal(err)
		}
		if i%100 != 0 && (out.Error != nil || string(out.Value) != "20") {
			t.Fatalf("execution %d: %s %v", i, out.Value, out.Error)
		}
		if err := e.Arm(16<<20, 0); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		one(i)
	}
	image := len(e.image)
	before, rss := goHeap(), residentBytes()
	for i := range n {
		one(i)
	}
	if after := goHeap(); after > before+1<<20 {
		t.Errorf("Go's heap grew from %d to %d", before, after)
	}
	if now := residentBytes(); now > rss+8<<20 {
		t.Errorf("the process grew from %d to %d", rss, now)
	}
	if len(e.image) != image {
		t.Errorf("the image grew from %d to %d", image, len(e.image))
	}
	t.Logf("image %d bytes, Go heap %d, resident %d", image, goHeap(), residentBytes())
}

func goHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A bomb's memory goes back to the system when the next isolate is armed.
func TestMemoryGoesBack(t *testing.T) {
	if residentBytes() == 0 {
		t.Skip("this system does not tell how much is resident")
	}
	e, err := New(Config{HeapLimit: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	before := residentBytes()
	out, err := e.Run(Program{Source: []byte("const a = []; for (;;) a.push(new Array(1000).fill(1))")}, deafPort{})
	if err != nil || out.Error == nil || out.Error.Code != wire.CodeHeapLimit {
		t.Fatal(err, out.Error)
	}
	most := residentBytes()
	if err := e.Arm(64<<20, 0); err != nil {
		t.Fatal(err)
	}
	after := residentBytes()
	t.Logf("resident: %d before, %d with the bomb, %d after", before, most, after)
	if most < before+50<<20 || after > before+4<<20 {
		t.Errorf("resident: %d before, %d with the bomb, %d after", before, most, after)
	}
}

// The allocator against its own records, with random requests.
func TestHeapRandom(t *testing.T) {
	h, err := newHeap(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.region.unmap(); err != nil {
			t.Error(err)
		}
	}()
	r := rand.New(rand.NewPCG(1, 2))
	type held struct {
		p, n uint64
		fill byte
	}
	var live []held
	fill := func(x held) {
		b := h.bytes(x.p, x.p+x.n)
		for i := range b {
			b[i] = x.fill
		}
	}
	verify := func(x held, n uint64) {
		for i, c := range h.bytes(x.p, x.p+n) {
			if c != x.fill {
				t.Fatalf("byte %d of a block of %d is %d, not %d", i, x.n, c, x.fill)
			}
		}
	}
	size := func() uint64 {
		if r.IntN(20) == 0 {
			return r.Uint64N(300_000)
		}
		return r.Uint64N(5000)
	}
	refused := 0
	for i := range 50_000 {
		switch op := r.IntN(10); {
		case op < 4 || len(live) == 0:
			n := size()
			p := h.alloc(n)
			if p == 0 {
				refused++
				h.exceeded = false
				continue
			}
			if p%16 != 0 || h.usable(p) < n {
				t.Fatalf("%d bytes at %d, %d of them usable", n, p, h.usable(p))
			}
			live = append(live, held{p, n, byte(i)})
			fill(live[len(live)-1])
		case op < 7:
			k := r.IntN(len(live))
			x, n := live[k], size()
			p := h.realloc(x.p, n)
			if p == 0 {
				refused++
				h.exceeded = false
				verify(x, x.n)
				continue
			}
			x.p = p
			verify(x, min(n, x.n))
			x.n = n
			fill(x)
			live[k] = x
		default:
			k := r.IntN(len(live))
			verify(live[k], live[k].n)
			h.free(live[k].p)
			live[k] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		if i%500 == 0 {
			if err := h.check(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
	}
	for _, x := range live {
		verify(x, x.n)
		h.free(x.p)
	}
	if err := h.check(); err != nil {
		t.Fatal(err)
	}
	if c := h.ctl(); c.inUse != 0 || c.fl != 0 || refused == 0 {
		t.Errorf("in use %d, lists %b, refused %d", c.inUse, c.fl, refused)
	}
}
