//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// echoDeed does what a worker does between programs: it waits with a timeout,
// reads blocking, and answers, until standard input ends.
func echoDeed(*victim) int {
	buf := make([]byte, 512)
	for {
		ts := unix.NsecToTimespec(int64(time.Millisecond))
		fds := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
		if _, err := unix.Ppoll(fds, &ts, nil); err != nil && err != unix.EINTR {
			say("ppoll: " + err.Error())
			return 94
		}
		n, err := unix.Read(0, buf)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 95
		case n == 0:
			return 0
		default:
			if _, err := unix.Write(1, buf[:n]); err != nil {
				return 96
			}
		}
	}
}

// waitDeed reads until standard input ends, or until it is killed.
func waitDeed(*victim) int {
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// busyDeed keeps the Go runtime at all that it may want from the kernel: heap
// that grows and shrinks, collections, timers, goroutines by the thousand,
// threads that end, preemption, deep stacks, dates. Its argument is for how
// long, in seconds.
func busyDeed(v *victim) int {
	seconds, err := strconv.ParseFloat(v.Args[0], 64)
	if err != nil {
		return 97
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	var rounds atomic.Int64
	var wg sync.WaitGroup
	run := func(f func()) {
		wg.Go(func() {
			for time.Now().Before(end) {
				f()
				rounds.Add(1)
			}
		})
	}
	run(func() { // allocation in all sizes, kept for a while
		var keep [][]byte
		for range 200 {
			b := make([]byte, 1<<rand.IntN(21))
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			keep = append(keep, b)
		}
		runtime.KeepAlive(keep)
	})
	run(func() { // memory that is given back
		b := make([]byte, 48<<20)
		b[len(b)-1] = 1
		runtime.KeepAlive(b)
		debug.FreeOSMemory()
		time.Sleep(20 * time.Millisecond)
	})
	run(func() { // timers, short and stopped
		t := time.NewTimer(time.Duration(rand.IntN(2000)) * time.Microsecond)
		stopped := time.AfterFunc(time.Hour, func() {})
		<-t.C
		stopped.Stop()
	})
	run(func() { // goroutines by the thousand
		var wg sync.WaitGroup
		for range 2000 {
			wg.Go(func() { time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond) })
		}
		wg.Wait()
	})
	run(func() { // threads that end
		done := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(done)
		}()
		<-done
		time.Sleep(5 * time.Millisecond)
	})
	run(func() { // loops that must be preempted by a signal
		x := uint64(1)
		for i := range uint64(50_000_000) {
			x = x*6364136223846793005 + i
		}
		runtime.KeepAlive(x)
	})
	run(func() { deep(20_000); time.Sleep(time.Millisecond) })
	run(func() {
		_ = time.Now().Local().Format(time.RFC1123)
		_ = fmt.Sprintf("%v", rand.Perm(100))
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	})
	run(func() { // a blocking system call hands the processor over
		ts := unix.NsecToTimespec(int64(time.Millisecond))
		_, _ = unix.Ppoll([]unix.PollFd{{Fd: 0, Events: unix.POLLIN}}, &ts, nil)
	})
	// An arena outside of Go's heap, as the engine's.
	run(func() {
		m, err := unix.Mmap(-1, 0, 16<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			panic(err)
		}
		for i := 0; i < len(m); i += 4096 {
			m[i] = 1
		}
		if err := unix.Madvise(m, unix.MADV_DONTNEED); err != nil {
			panic(err)
		}
		if err := unix.Munmap(m); err != nil {
			panic(err)
		}
	})
	wg.Wait()
	say(fmt.Sprintf("rounds %d", rounds.Load()))
	return 0
}

//go:noinline
func deep(n int) int {
	var pad [64]byte
	if n == 0 {
		return int(pad[0])
	}
	return deep(n-1) + int(pad[n%64])
}

// dieDeed ends the process in the way that its argument names.
func dieDeed(v *victim) int {
	switch v.Args[0] {
	case "panic":
		go func() { panic("as asked") }()
		select {}
	case "stack":
		deep(1 << 40)
	case "memory":
		var keep [][]byte
		for {
			b := make([]byte, 32<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			keep = append(keep, b)
			runtime.KeepAlive(keep)
		}
	case "spin":
		for {
			runtime.KeepAlive(v)
		}
	case "pipe":
		for {
			if _, err := os.Stdout.Write([]byte("x\n")); err != nil {
				return 98
			}
		}
	case "call":
		_, _ = unix.Getppid(), 0
	case "exit":
		n, _ := strconv.Atoi(v.Args[1])
		return n
	case "signal":
		n, _ := strconv.Atoi(v.Args[1])
		_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.Signal(n))
		time.Sleep(time.Hour)
	}
	return 99
}
