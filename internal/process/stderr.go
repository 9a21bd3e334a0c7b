package process

import (
	"bytes"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	stderrHead  = 8 << 10 // a crash says what it is first
	stderrTail  = 4 << 10
	stderrFlood = 1 << 20
)

// tail keeps the beginning and the end of what a worker writes to stderr.
type tail struct {
	src   *os.File
	log   *slog.Logger
	flood func()
	done  chan struct{}

	mu   sync.Mutex
	head []byte
	end  []byte
	cut  int
}

func newTail(src *os.File, log *slog.Logger, flood func()) *tail {
	return &tail{src: src, log: log, flood: flood, done: make(chan struct{})}
}

// read reads to the end of the pipe. It goes on reading what it no longer
// keeps, so that a worker never blocks on stderr, until the flood is one.
func (t *tail) read() {
	defer close(t.done)
	buf := make([]byte, 4<<10)
	total := 0
	for {
		n, err := t.src.Read(buf)
		if n > 0 {
			total += n
			t.keep(buf[:n])
			t.log.Debug("worker stderr", "text", string(bytes.TrimRight(buf[:n], "\n")))
		}
		if err != nil {
			return
		}
		if total > stderrFlood {
			t.flood()
			return
		}
	}
}

func (t *tail) keep(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := stderrHead - len(t.head); room > 0 {
		n := min(room, len(p))
		t.head = append(t.head, p[:n]...)
		p = p[n:]
	}
	t.end = append(t.end, p...)
	if over := len(t.end) - stderrTail; over > 0 {
		t.cut += over
		t.end = append(t.end[:0], t.end[over:]...)
	}
}

// finish ends the reading after the process is gone. What the pipe still holds
// is read; a descriptor that something else keeps open does not hold it up.
func (t *tail) finish() {
	_ = t.src.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	<-t.done
	t.src.Close()
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b bytes.Buffer
	b.Write(t.head)
	if t.cut > 0 {
		b.WriteString("\n[…]\n")
	}
	b.Write(t.end)
	return string(bytes.TrimSpace(b.Bytes()))
}
