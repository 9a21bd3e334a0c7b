package reload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// Config says which file is watched, and how. It is copied.
type Config struct {
	// Path is the file; it must be set. It may be a symbolic link, also one of
	// a chain that is changed in the middle, as Kubernetes does; or be replaced
	// by renaming another one to it, as editors do.
	Path string
	// Interval is how often the file is looked at. Default 1 s; negative means
	// never: it is read only when Now says so.
	Interval time.Duration
	// Quiet is how long a file that has changed must stay the same before it is
	// read, so that nobody reads what is being written. Default 200 ms.
	Quiet time.Duration
	// Now demands with each value that the file is read, changed or not: see
	// Hangups. Nil: nobody does.
	Now <-chan os.Signal
	// Logger hears that the file has gone, and that it is back. Default:
	// nothing is logged.
	Logger *slog.Logger
}

const (
	// maxHashed is up to what size the content is looked at. The configuration
	// is smaller; a larger file has changed when its size or time has.
	maxHashed = 64 << 20
	// coarse is how much later than a file's time a change may come without
	// changing that time: file systems count in steps of up to 2 s.
	coarse = 2 * time.Second
	// maxLooks is how often a file is looked at that does not come to rest
	// before it is taken as it is.
	maxLooks = 25
	// missing is how many looks in a row must find no file before that is said:
	// who replaces a file may take it away first.
	missing = 3
)

// A Watcher notices that a file has changed. It looks at it now and then rather
// than be told by the kernel: that works on every file system, network mounts
// and bind mounts into containers among them, needs no watch on each directory
// of a chain of links, and costs one stat a second.
type Watcher struct {
	cfg   Config
	known mark // as it was when it was read last
	gone  int  // looks in a row that did not find it
}

// New returns a Watcher that takes the file as it is now for known: call it
// before the configuration is read for the first time, so that no change is
// missed. It starts nothing. The error names the field that is wrong.
func New(cfg Config) (*Watcher, error) {
	if cfg.Path == "" {
		return nil, errors.New("reload: Config.Path is empty: it must be the configuration's file")
	}
	if cfg.Quiet < 0 {
		return nil, fmt.Errorf("reload: Config.Quiet is %v: it must be positive, or 0 for the default", cfg.Quiet)
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.Quiet == 0 {
		cfg.Quiet = 200 * time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{cfg: cfg}
	w.known = w.look(mark{})
	return w, nil
}

// Run calls reload each time that the file has changed, or when Now demands it,
// until ctx ends; one call at a time, and none where the content is as it was.
// What changes during a call is noticed after it. Run must be called once.
func (w *Watcher) Run(ctx context.Context, reload func(context.Context)) {
	var tick <-chan time.Time
	if w.cfg.Interval > 0 {
		ticker := time.NewTicker(w.cfg.Interval)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.cfg.Now:
			// Before the file is read: what changes after is another change.
			w.known = w.look(w.known)
			reload(ctx)
		case <-tick:
			seen := w.look(w.known)
			if !w.there(seen) {
				continue
			}
			if seen.sum == w.known.sum {
				w.known = seen // touched at most
				continue
			}
			if seen = w.settled(ctx, seen); ctx.Err() != nil {
				return
			}
			if !seen.ok() || seen.sum == w.known.sum {
				continue // it is gone again, or as it was: the next look will tell
			}
			w.known = seen
			reload(ctx)
		}
	}
}

// there reports whether there is a file to be read, and logs where there is
// none for long.
func (w *Watcher) there(seen mark) bool {
	if seen.ok() {
		if w.gone >= missing {
			w.cfg.Logger.Info("the configuration file is back", "file", w.cfg.Path)
		}
		w.gone = 0
		return true
	}
	if w.gone++; w.gone == missing {
		w.cfg.Logger.Warn("the configuration file cannot be read; what it said last stays in force", "file", w.cfg.Path, "err", seen.err)
	}
	return false
}

// settled waits until two looks in a row see the same.
func (w *Watcher) settled(ctx context.Context, seen mark) mark {
	timer := time.NewTimer(w.cfg.Quiet)
	defer timer.Stop()
	for range maxLooks {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return seen
		}
		next := w.look(seen)
		if next.ok() == seen.ok() && next.sum == seen.sum {
			return next
		}
		seen = next
		timer.Reset(w.cfg.Quiet)
	}
	return seen
}

// mark is what a file was like at one moment.
type mark struct {
	info os.FileInfo
	at   time.Time // before it was read
	sum  [sha256.Size]byte
	err  error // why there is nothing to be read
}

func (m *mark) ok() bool { return m.info != nil && m.err == nil }

// stands reports whether a file with this info must have the content of the
// mark.
func (m *mark) stands(info os.FileInfo) bool {
	return m.ok() && os.SameFile(m.info, info) && m.info.Size() == info.Size() && m.info.ModTime().Equal(info.ModTime()) &&
		m.at.Sub(m.info.ModTime()) > coarse
}

// look returns what the file is like, which it reads only where it may be other
// than it was.
func (w *Watcher) look(was mark) mark {
	now := mark{at: time.Now()}
	if now.info, now.err = os.Stat(w.cfg.Path); now.err != nil {
		return now
	}
	if was.stands(now.info) {
		return was
	}
	if !now.info.Mode().IsRegular() {
		now.err = errors.New("it is no regular file") // to read a pipe may take for ever
		return now
	}
	if now.info.Size() > maxHashed {
		now.sum = sha256.Sum256(fmt.Append(nil, now.info.Size(), now.info.ModTime().UnixNano()))
		return now
	}
	f, err := os.Open(w.cfg.Path)
	if err != nil {
		now.err = err
		return now
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxHashed)); err != nil {
		now.err = err
		return now
	}
	h.Sum(now.sum[:0])
	return now
}
