package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// lookAgain is how old what is known of a file may be.
const lookAgain = time.Second

// reloaded is what is in some files, read again when one of them has changed.
// Where that fails, it stays as it was: who writes several files writes one
// after the other.
type reloaded[T any] struct {
	what  string
	read  func() (T, error)
	log   *slog.Logger
	paths []string

	mu     sync.Mutex
	value  T
	of     []fs.FileInfo // the files that value was read from
	failed []fs.FileInfo // those that could not be read, and that was said
	looked time.Time
}

// reload reads the files for the first time.
func reload[T any](what string, read func() (T, error), log *slog.Logger, paths ...string) (*reloaded[T], error) {
	r := &reloaded[T]{what: what, read: read, log: log, paths: paths, looked: time.Now()}
	r.of = r.look() // before they are read: what changes meanwhile is seen later
	var err error
	r.value, err = read()
	return r, err
}

// look returns the files as they are. Of one that is not there it returns nil.
func (r *reloaded[T]) look() []fs.FileInfo {
	all := make([]fs.FileInfo, len(r.paths))
	for i, p := range r.paths {
		all[i], _ = os.Stat(p) // reading it says what is wrong
	}
	return all
}

func sameFiles(a, b []fs.FileInfo) bool {
	return slices.EqualFunc(a, b, func(a, b fs.FileInfo) bool {
		if a == nil || b == nil {
			return a == nil && b == nil
		}
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
	})
}

func (r *reloaded[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) < lookAgain {
		return r.value
	}
	r.looked = time.Now()
	now := r.look()
	if sameFiles(now, r.of) {
		return r.value
	}
	value, err := r.read()
	switch {
	case err == nil:
		r.value, r.of, r.failed = value, now, nil
		r.log.Info("the "+r.what+" has changed and was read again", "files", r.paths)
	case r.failed == nil || !sameFiles(now, r.failed):
		r.failed = now
		r.log.Error("the "+r.what+" has changed and cannot be read: it stays as it was", "err", err)
	}
	return r.value
}

// certificate has TLS take the certificate from its files, where there are
// some.
func (h *HTTP) certificate() error {
	cert, key := h.cfg.TLSCert, h.cfg.TLSKey
	switch {
	case cert == "" && key == "":
		return nil
	case cert == "" || key == "":
		return errors.New("TLSCert and TLSKey need each other: one of them is empty")
	}
	files, err := reload("certificate", func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(cert, key)
		return &c, err
	}, h.log, cert, key)
	if err != nil {
		return fmt.Errorf("TLSCert: reading the certificate: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if h.cfg.TLS != nil {
		c = h.cfg.TLS.Clone()
	}
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return files.get(), nil }
	h.cfg.TLS = c
	return nil
}
