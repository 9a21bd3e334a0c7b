package quickjs

import (
	pq "container/heap"
	"time"
)

// maxTimers bounds what timers take of Go's memory, which the heap limit does
// not count.
const maxTimers = 100_000

// timers is a program's timers in the order in which they are due. The zero
// value has none.
type timers struct {
	queue timerQueue
	live  map[int64]struct{}
	last  int64
}

type timer struct {
	due time.Time
	id  int64
}

type timerQueue []timer

func (q timerQueue) Len() int { return len(q) }
func (q timerQueue) Less(i, j int) bool {
	if c := q[i].due.Compare(q[j].due); c != 0 {
		return c < 0
	}
	return q[i].id < q[j].id
}
func (q timerQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *timerQueue) Push(x any)   { *q = append(*q, x.(timer)) }
func (q *timerQueue) Pop() any {
	old := *q
	t := old[len(old)-1]
	*q = old[:len(old)-1]
	return t
}

// add starts a timer and returns its number, 0 where there are too many.
func (t *timers) add(ms float64) int64 {
	if len(t.live) >= maxTimers {
		return 0
	}
	if len(t.queue) >= 2*maxTimers {
		t.compact()
	}
	if !(ms > 0) {
		ms = 0
	}
	// A year is as good as what an int64 of nanoseconds cannot hold.
	d := time.Duration(min(ms, 365*24*3600e3) * float64(time.Millisecond))
	t.last++
	if t.live == nil {
		t.live = make(map[int64]struct{})
	}
	t.live[t.last] = struct{}{}
	pq.Push(&t.queue, timer{due: time.Now().Add(d), id: t.last})
	return t.last
}

// compact drops the timers that were removed before they were due.
func (t *timers) compact() {
	kept := t.queue[:0]
	for _, q := range t.queue {
		if _, ok := t.live[q.id]; ok {
			kept = append(kept, q)
		}
	}
	t.queue = kept
	pq.Init(&t.queue)
}

func (t *timers) remove(id int64) { delete(t.live, id) }

// next is when the first timer is due.
func (t *timers) next() (time.Time, bool) {
	for len(t.queue) > 0 {
		if _, ok := t.live[t.queue[0].id]; ok {
			return t.queue[0].due, true
		}
		pq.Pop(&t.queue)
	}
	return time.Time{}, false
}

// take removes the timer that next told of.
func (t *timers) take() int64 {
	id := pq.Pop(&t.queue).(timer).id
	delete(t.live, id)
	return id
}
