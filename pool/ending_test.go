package pool_test

import (
	"errors"
	"fmt"
	"testing/synctest"
	"time"
)

// recover lets everything succeed, ends all leases, and expects that everybody
// in line is served and the minima are met before long.
func (m *model) recover() error {
	m.log("    recover")
	m.relax()
	for i := range 200 {
		for c := one(m, 0, m.leases); c != nil; c = one(m, 0, m.leases) {
			m.giveBack(c).Release()
		}
		synctest.Wait()
		m.mu.Lock()
		n, held := len(m.waiting()), len(m.leases())
		m.mu.Unlock()
		s := m.pool.Stats()
		if n == 0 && held == 0 && (m.ending > 0 || s.Idle >= m.min.workers) && s.Spawning+s.Resetting+s.Dying == 0 {
			return nil
		}
		if i == 199 {
			return fmt.Errorf("does not recover: %d in line, %+v", n, s)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// end closes the pool and checks that nothing is left.
func (m *model) end(cancel func()) error {
	m.relax()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = m.pool.Close(ended())
	}()
	select {
	case <-closed:
	case <-time.After(time.Hour):
		return fmt.Errorf("%w: %+v", errStuck, m.pool.Stats())
	}
	cancel()
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.pool.Stats()
	switch {
	case s.Workers != 0 || s.Waiting != 0 || len(m.waiting()) != 0 || len(m.spawns) != 0 || m.running != 0:
		return fmt.Errorf("closed, but: %d in line, %d spawns, %d goroutines, %+v", len(m.waiting()), len(m.spawns), m.running, s)
	case len(m.which(func(k *worker) bool { return !k.dead })) != 0:
		return errors.New("closed, but a worker lives")
	case s.Held != len(m.leases()):
		return fmt.Errorf("closed with %d leases held, Stats says %d", len(m.leases()), s.Held)
	}
	return balance(s)
}
