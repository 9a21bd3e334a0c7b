package worker

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The worker's own garbage is frames and little else: values of programs live
// in the engine's arena. So it collects at a moment of its choosing, between
// executions, where nobody waits, and not when the pacer says so, which would
// be in the middle of a program, on the other threads of a small machine.
const (
	// collectAt is how much may have gathered before it is collected between
	// executions, in bytes. It is what keeps an idle worker small.
	collectAt = 1 << 20
	// collectWithin is how much frames may have taken within one execution
	// before it is collected while the program waits.
	collectWithin = 32 << 20
	// memoryLimit is where the runtime collects all the same: stripping types
	// makes garbage that is not counted here.
	memoryLimit = 192 << 20
)

// collector decides when the worker collects its garbage.
type collector struct {
	frames int // bytes of frames since the last collection
	sample [1]metrics.Sample
}

func newCollector() *collector {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimit)
	return &collector{sample: [1]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}}
}

// took counts a body that came or went.
func (c *collector) took(n int) { c.frames += n }

// waiting is called when the program waits for the host.
func (c *collector) waiting() {
	if c.frames > collectWithin {
		c.collect()
	}
}

// between is called between executions.
func (c *collector) between() {
	metrics.Read(c.sample[:])
	if c.sample[0].Value.Uint64() > collectAt {
		c.collect()
	}
}

func (c *collector) collect() {
	c.frames = 0
	runtime.GC()
}
