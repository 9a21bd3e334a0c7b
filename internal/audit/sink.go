package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Sink writes records. It may be used concurrently.
//
// One goroutine owns the file: a write that hangs, on a dead network file
// system say, holds up only that goroutine, and everybody else's patience is
// Config.Timeout.
type Sink struct {
	cfg  Config
	jobs chan *job
	done chan struct{} // closed when the goroutine has ended

	// Close has two words for whoever writes: that nothing is begun any more,
	// and that what was begun is waited for no longer. No lock is held while
	// anybody waits, so a write that hangs cannot hold up Close.
	closing, abandoned   chan struct{}
	closeOnce, abandonIt sync.Once

	written, dropped, failed atomic.Uint64
	failing                  atomic.Bool // the last record was not written
}

// Stats counts what has become of records.
type Stats struct {
	Written uint64
	// Dropped is how many were lost with OnFailure Drop.
	Dropped uint64
	// Failed is how many failed their execution, with OnFailure Fail.
	Failed uint64
}

// ErrClosed is why Write failed where Close came first, or where Close waited
// for it in vain. What follows is Config.OnFailure's, as of any failure.
var ErrClosed = errors.New("audit: the sink is closed")

// job is what the goroutine is asked to do.
type job struct {
	line   []byte        // to write
	reopen io.Writer     // or to go on with,
	torn   bool          // and whether its last line has no end
	state  atomic.Int32  // who was first: the goroutine that begins, or the caller that gives up
	result chan struct{} // closed when err is set
	err    error
}

const (
	waiting = iota
	begun
	givenUp
)

// Open opens the file and returns a Sink that its caller must Close.
func Open(cfg Config) (*Sink, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &writer{cfg: cfg, out: cfg.Writer}
	if w.out == nil {
		if w.out, w.torn, err = openFile(cfg.Path); err != nil {
			return nil, err
		}
	}
	s := &Sink{cfg: cfg, jobs: make(chan *job), done: make(chan struct{}), closing: make(chan struct{}), abandoned: make(chan struct{})}
	w.sink = s
	go w.run()
	return s, nil
}

// openFile returns the file, and whether its last line has no end.
func openFile(path string) (w io.Writer, torn bool, err error) {
	if path == Stderr {
		return os.Stderr, false, nil
	}
	flags := os.O_APPEND | os.O_CREATE | os.O_WRONLY
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, false, fmt.Errorf("opening the audit file: %w", err)
	case info.IsDir():
		return nil, false, fmt.Errorf("opening the audit file: %s is a directory", path)
	case info.Mode()&fs.ModeNamedPipe != 0:
		// Without a reader it would hang here; so it is an error.
		flags |= syscall.O_NONBLOCK
	case info.Mode().IsRegular() && info.Size() > 0:
		if torn, err = endsTorn(path, info.Size()); err != nil {
			return nil, false, fmt.Errorf("opening the audit file: %w", err)
		}
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("opening the audit file: %w", err)
	}
	return f, torn, nil
}

func endsTorn(path string, size int64) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return false, nil // it may be for appending alone; then we cannot know
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return last[0] != '\n', nil
}

// Write writes the record as one line, with one system call, and returns when
// that has been done: the line is the system's then, though not yet the
// disk's. Where it cannot be written in Config.Timeout, or before ctx ends, or
// before Close, the answer is an error with Fail, and nil with Drop. A line that
// was under way at that time may still arrive.
func (s *Sink) Write(ctx context.Context, r *Record) error {
	line, err := r.line()
	if err == nil {
		err = s.do(ctx, &job{line: line})
	}
	if err == nil {
		s.written.Add(1)
		if s.failing.CompareAndSwap(true, false) {
			s.cfg.Logger.Warn("the audit is being written again", "dropped", s.dropped.Load(), "failed", s.failed.Load())
		}
		return nil
	}
	if s.failing.CompareAndSwap(false, true) {
		s.cfg.Logger.Error("the audit cannot be written", "err", err, "consequence", s.cfg.OnFailure)
	}
	if s.cfg.OnFailure == Fail {
		s.failed.Add(1)
		return err
	}
	s.dropped.Add(1)
	return nil
}

// Reopen opens the file anew, as it must be when it has been moved away. Where
// that fails the old one stays. A file that has been moved is noticed without it,
// within a second.
func (s *Sink) Reopen(ctx context.Context) error {
	if s.cfg.Writer != nil || s.cfg.Path == Stderr {
		return nil
	}
	w, torn, err := openFile(s.cfg.Path)
	if err != nil {
		return err
	}
	if err := s.do(ctx, &job{reopen: w, torn: torn}); err != nil {
		closeWriter(w)
		return err
	}
	return nil
}

func (s *Sink) do(ctx context.Context, j *job) error {
	j.result = make(chan struct{})
	if s.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.cfg.Timeout, errSlow)
		defer cancel()
	}
	select {
	case <-s.closing: // before all, or the choice below would be by chance
		return ErrClosed
	default:
	}
	select {
	case s.jobs <- j:
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("writing an audit record: %w", context.Cause(ctx))
	}
	var err error
	select {
	case <-j.result:
		return j.err
	case <-s.abandoned:
		err = ErrClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if !j.state.CompareAndSwap(waiting, givenUp) && j.reopen != nil {
		<-j.result // it has begun, and cannot hang
		return j.err
	}
	return fmt.Errorf("writing an audit record: %w", err)
}

var errSlow = errors.New("the file did not take it in time")

// Stats returns what has become of records so far.
func (s *Sink) Stats() Stats {
	return Stats{Written: s.written.Load(), Dropped: s.dropped.Load(), Failed: s.failed.Load()}
}

// Close begins no more writes, waits for the one that is under way, closes the
// file and ends the goroutine. Writes that wait for their turn fail at once with
// ErrClosed. Where the one under way hangs until ctx ends, it fails with
// ErrClosed too, and Close returns an error; the goroutine ends when the write
// does. Close may be called while others write: that is how to be rid of
// those that hang, where Config.Timeout has no bound. It may be called more than
// once.
func (s *Sink) Close(ctx context.Context) error {
	s.closeOnce.Do(func() { close(s.closing) })
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		s.abandonIt.Do(func() { close(s.abandoned) })
		return fmt.Errorf("closing the audit file: a write hangs: %w", context.Cause(ctx))
	}
}

// writer is what the goroutine has.
type writer struct {
	cfg  Config
	sink *Sink
	out  io.Writer
	// torn: the last line has no end, because the disk was full in its middle.
	torn bool
	// told is how many of the dropped records the file says.
	told    uint64
	checked time.Time
}

func (w *writer) run() {
	defer close(w.sink.done)
	defer func() {
		if w.cfg.Writer == nil {
			closeWriter(w.out)
		}
	}()
	for {
		var j *job
		select {
		case j = <-w.sink.jobs:
		case <-w.sink.closing:
			return
		}
		if !j.state.CompareAndSwap(waiting, begun) {
			continue
		}
		if j.reopen != nil {
			closeWriter(w.out)
			w.out, w.torn = j.reopen, j.torn
		} else {
			w.follow()
			j.err = w.write(j.line)
		}
		close(j.result)
	}
}

func (w *writer) write(line []byte) error {
	// Old troubles first, so that the line is whole and what is missing before
	// it is said.
	var lead []byte
	if w.torn {
		lead = append(lead, '\n')
	}
	dropped := w.sink.dropped.Load()
	if dropped > w.told {
		gap, err := (&Record{Time: time.Now(), Dropped: dropped - w.told}).line()
		if err != nil {
			return err
		}
		lead = append(lead, gap...)
	}
	if len(lead) > 0 {
		line = append(lead, line...)
	}
	if f, ok := w.out.(*os.File); ok && w.cfg.Timeout > 0 {
		// It ends the write to a pipe that nobody reads. Files have no
		// deadlines, and say so; they seldom hang.
		_ = f.SetWriteDeadline(time.Now().Add(w.cfg.Timeout))
	}
	n, err := w.out.Write(line)
	if n > 0 {
		w.torn = n < len(line)
	}
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("writing an audit record: %w", err)
	}
	w.told = dropped
	return nil
}

// follow opens the file anew where its name stands for another one by now, or
// for none. It looks once a second.
func (w *writer) follow() {
	f, ok := w.out.(*os.File)
	now := time.Now()
	if !ok || w.cfg.Writer != nil || w.cfg.Path == Stderr || now.Sub(w.checked) < time.Second {
		return
	}
	w.checked = now
	ours, err := f.Stat()
	if err != nil {
		return
	}
	if theirs, err := os.Stat(w.cfg.Path); err == nil && os.SameFile(ours, theirs) {
		return
	}
	out, torn, err := openFile(w.cfg.Path)
	if err != nil {
		// What we have still takes records, and they can be found in it.
		w.cfg.Logger.Warn("the audit file was moved, and there is no new one", "err", err)
		return
	}
	f.Close()
	w.out, w.torn = out, torn
}

func closeWriter(w io.Writer) {
	if f, ok := w.(*os.File); ok && f != os.Stderr {
		f.Close()
	}
}
