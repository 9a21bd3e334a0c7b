package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// stuck is a response that nobody reads.
type stuck struct {
	http.ResponseWriter
	begun, free chan struct{}
}

func (s stuck) Write(b []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.free
	return len(b), nil
}

// TestUnreadAnswersAreBounded: what one client does not take counts, and where
// there is too much of that, the next answer is cut and its request ended.
func TestUnreadAnswersAreBounded(t *testing.T) {
	u := &untaken{max: 100}
	w := stuck{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	first := newPatientWriter(w, time.Minute, time.Minute, u, func() {})
	done := make(chan error)
	go func() {
		_, err := first.Write(make([]byte, 60))
		done <- err
	}()
	<-w.begun
	ctx, cancel := context.WithCancel(t.Context())
	second := newPatientWriter(httptest.NewRecorder(), time.Minute, time.Minute, u, cancel)
	if _, err := second.Write(make([]byte, 41)); !errors.Is(err, errUntaken) || ctx.Err() == nil || !second.cut {
		t.Errorf("%v, %v", err, ctx.Err())
	}
	third := newPatientWriter(httptest.NewRecorder(), time.Minute, time.Minute, u, func() { t.Error("a small one was ended") })
	if _, err := third.Write(make([]byte, 40)); err != nil {
		t.Error(err)
	}
	close(w.free)
	if err := <-done; err != nil || u.bytes.Load() != 0 {
		t.Errorf("%v, %d bytes still count", err, u.bytes.Load())
	}
	for _, p := range []*patientWriter{first, second, third} {
		p.end()
	}
}
