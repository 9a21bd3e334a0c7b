package pool

import "time"

// waiter is a caller in line. Its fields are guarded by Pool.mu until ready is
// closed, and belong to the caller from then on.
type waiter struct {
	tenant string
	since  time.Duration
	links[waiter]

	// Set when the wait is over, before ready is closed: a slot and its guard,
	// or an error.
	over   bool
	slot   *slot
	guard  *guard
	uses   int
	waited time.Duration
	err    error

	ready chan struct{}
}

func (w *waiter) linked() *links[waiter] { return &w.links }

// queue is the line of one tenant. It exists while somebody stands in it.
type queue struct {
	tenant  string
	waiters list[waiter, *waiter]
	links[queue]
}

func (q *queue) linked() *links[queue] { return &q.links }

// links makes T a member of one list.
type links[T any] struct{ prev, next *T }

type linked[T any] interface {
	*T
	linked() *links[T]
}

// list is a doubly linked list whose links are in its members, so that one can
// leave from the middle without a search.
type list[T any, P linked[T]] struct {
	first, last *T
	len         int
}

func (l *list[T, P]) push(x *T) {
	P(x).linked().prev = l.last
	if l.last != nil {
		P(l.last).linked().next = x
	} else {
		l.first = x
	}
	l.last = x
	l.len++
}

func (l *list[T, P]) pushFirst(x *T) {
	P(x).linked().next = l.first
	if l.first != nil {
		P(l.first).linked().prev = x
	} else {
		l.last = x
	}
	l.first = x
	l.len++
}

func (l *list[T, P]) remove(x *T) {
	k := P(x).linked()
	if k.prev != nil {
		P(k.prev).linked().next = k.next
	} else {
		l.first = k.next
	}
	if k.next != nil {
		P(k.next).linked().prev = k.prev
	} else {
		l.last = k.prev
	}
	k.prev, k.next = nil, nil
	l.len--
}
