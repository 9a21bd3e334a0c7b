package pool

import (
	"fmt"
	"maps"
)

// NewExact is New without jitter: uses and lifetimes are what the Config says.
func NewExact[W Worker](cfg Config[W]) (*Pool[W], error) {
	return newPool(cfg, func(n int64) int64 { return n / 2 })
}

// Audit compares what the state machine counts as it goes with what there is.
func (p *Pool[W]) Audit() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := newState(p.cfg, nil)
	st := p.st
	for _, s := range st.slots {
		fresh.tally(s, 1)
		if s.bound {
			fresh.held[s.tenant]++
		}
		if free := s.state == idle || s.state == resetting; free && s.guard == nil {
			return fmt.Errorf("slot %d is free and has no guard", s.id)
		}
	}
	for i, s := range st.idle {
		if s.state != idle || i > 0 && st.idle[i-1].since > s.since {
			return fmt.Errorf("the stack of idle workers is wrong at %d", i)
		}
	}
	waiting := 0
	for q := st.ring.first; q != nil; q = q.next {
		waiting += q.waiters.len
		if st.queues[q.tenant] != q || q.waiters.len == 0 {
			return fmt.Errorf("the line of %q is not as it should be", q.tenant)
		}
	}
	switch {
	case st.count != fresh.count || st.armed != fresh.armed || st.spent != fresh.spent || st.lost != fresh.lost:
		return fmt.Errorf("counts are %v %d %d %d, want %v %d %d %d",
			st.count, st.armed, st.spent, st.lost, fresh.count, fresh.armed, fresh.spent, fresh.lost)
	case !maps.Equal(st.held, fresh.held):
		return fmt.Errorf("held is %v, want %v", st.held, fresh.held)
	case len(st.idle) != st.count[idle]:
		return fmt.Errorf("%d in the stack, %d are idle", len(st.idle), st.count[idle])
	case waiting != st.waiting || len(st.queues) != st.ring.len:
		return fmt.Errorf("%d wait in %d lines, but the counts are %d and %d", waiting, st.ring.len, st.waiting, len(st.queues))
	}
	return nil
}
