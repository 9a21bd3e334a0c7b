package pool_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave/pool"
)

// shouter is a worker of one's own: here a goroutine that answers lines, in
// earnest a child process with pipes.
type shouter struct {
	in, out chan string
	kill    context.CancelFunc
	done    chan struct{}
}

func startShouter(context.Context) (*shouter, error) {
	ctx, cancel := context.WithCancel(context.Background()) // not Spawn's: that one ends when Spawn returns
	s := &shouter{in: make(chan string), out: make(chan string, 1), kill: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for {
			select {
			case line := <-s.in:
				s.out <- strings.ToUpper(line)
			case <-ctx.Done():
				return
			}
		}
	}()
	return s, nil
}

func (s *shouter) Shout(ctx context.Context, line string) (string, error) {
	select {
	case s.in <- line:
		return <-s.out, nil
	case <-s.done:
		return "", fmt.Errorf("the shouter died")
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (s *shouter) Reset(context.Context) error { return nil } // it keeps nothing of what it heard
func (s *shouter) Done() <-chan struct{}       { return s.done }
func (s *shouter) Kill(string)                 { s.kill() }

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	p, err := pool.New(pool.Config[*shouter]{Spawn: startShouter, MaxWorkers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	armed, err := p.PreWarm(ctx)
	fmt.Println(armed, err)

	lease, err := p.Acquire(ctx, "alice")
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := lease.Worker().Shout(ctx, "hello")
	if err != nil {
		lease.Discard(err)
	} else {
		lease.Release()
	}
	fmt.Println(answer, err)

	fmt.Println(p.Close(ctx))
	// Output:
	// 2 <nil>
	// HELLO <nil>
	// <nil>
}
