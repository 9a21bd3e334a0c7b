package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// stderrLine is how much of one line of a server's stderr is kept.
	stderrLine = 2 << 10
	// stderrTail is how much of the last lines is kept for error messages.
	stderrTail = 1 << 10
	// maxRate is how many lines a second a server can put into the log.
	maxRate = 100
)

// rate lets maxRate lines a second pass. The zero value is ready.
type rate struct {
	window time.Time
	lines  int
}

func (r *rate) allow(now time.Time) bool {
	if now.Sub(r.window) >= time.Second {
		r.window, r.lines = now, 0
	}
	r.lines++
	return r.lines <= maxRate
}

// stderrLog passes a server's stderr to the log line by line, within bounds,
// and remembers how it ended.
type stderrLog struct {
	log  *slog.Logger
	done chan struct{} // closed when there is no more to read

	mu   sync.Mutex
	tail string
}

// run reads r until it ends. A server that floods its stderr is read as fast
// as it writes, so that it never stands still, but is not logged.
func (s *stderrLog) run(r io.Reader) {
	defer close(s.done)
	br := bufio.NewReaderSize(r, stderrLine)
	var limit rate
	dropped := 0
	flush := func() {
		if dropped > 0 {
			s.log.Warn("upstream stderr: lines left out, there were too many", "lines", dropped)
			dropped = 0
		}
	}
	defer flush()
	for {
		part, err := br.ReadSlice('\n')
		text := printable(part)
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line goes
			_, err = br.ReadSlice('\n')
		}
		if text != "" {
			s.remember(text)
			if limit.allow(time.Now()) {
				flush()
				s.log.Log(context.Background(), slog.LevelInfo, "upstream stderr", "line", text)
			} else {
				dropped++
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *stderrLog) remember(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail += line + "\n"
	if n := len(s.tail) - stderrTail; n > 0 {
		s.tail = strings.ToValidUTF8(s.tail[n:], "")
	}
}

// last returns the end of what the server wrote, on one line, or "".
func (s *stderrLog) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(strings.TrimSpace(s.tail), "\n", " | ")
}

// printable returns line as text that cannot drive a terminal.
func printable(line []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, string(line)))
}
