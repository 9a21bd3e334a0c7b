package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// event is one server-sent event.
type event struct {
	name, id, retry string
	data            []byte
	// large is set in place of data where that was over the limit.
	large *oversized
}

// Bounds for what a server says of when to come back.
const (
	minRetry = 100 * time.Millisecond
	maxRetry = time.Minute
)

// readEvents reads events until the stream ends or f fails. It returns io.EOF
// at its end.
func readEvents(r io.Reader, limit int, f func(event) error) error {
	lines := newLineReader(r, limit+len("data: "))
	var e event
	some := false
	for {
		line, err := lines.next()
		if o, ok := errors.AsType[*oversized](err); ok {
			o.max = limit
			e.large, e.data, some = o, nil, true
			continue
		}
		if err != nil {
			return err // an event that broke off is none
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			if some {
				if err := f(e); err != nil {
					return err
				}
			}
			e, some = event{}, false
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			e.name, some = string(value), true
		case "id":
			if len(value) <= 1024 && bytes.IndexByte(value, 0) < 0 {
				e.id, some = string(value), true
			}
		case "retry":
			if n, err := strconv.ParseInt(string(value), 10, 64); err == nil && n >= 0 {
				e.retry = strconv.FormatInt(min(max(n, minRetry.Milliseconds()), maxRetry.Milliseconds()), 10)
				some = true
			}
		case "data":
			some = true
			switch {
			case e.large != nil:
				e.large.size += int64(len(value))
			case len(e.data)+len(value) > limit:
				e.large = &oversized{max: limit, size: int64(len(e.data) + len(value)), head: bytes.Clone(e.data[:min(len(e.data), edge)])}
				e.data = nil
			case e.data == nil:
				e.data = value
			default:
				e.data = append(append(e.data, '\n'), value...)
			}
		}
	}
}

// errAnswered ends the reading of a stream that has nothing more to say.
var errAnswered = errors.New("the call has its answer")

// events reads a stream of the server and hands on what the SDK is to see of
// each event, which may be nothing but its id. It returns why the stream
// ended.
func (x *exchange) events(body io.Reader, emit func(e event, message []byte) error) error {
	h := x.h
	return readEvents(body, h.cfg.MaxFrame, func(e event) error {
		answered := false
		switch {
		case e.large != nil:
			failure := h.errorf(TooLarge, true, "its answer: %v", e.large)
			id, known := e.large.id()
			switch {
			case x.isCall && (!known || id == x.id):
				x.fail(failure)
				e.data, answered = rpcError(x.id, -32603, failure.Message), true
				return errors.Join(emit(e, e.data), errAnswered)
			case known:
				if c := h.box.take(id); c != nil {
					c.abort(failure)
					return nil
				}
			}
			h.end(failure)
			return failure
		case e.name != "" && e.name != "message":
			if h.old && e.name == "endpoint" {
				return emit(e, e.data)
			}
			return emit(e, nil)
		case len(e.data) == 0:
			return emit(e, nil)
		}
		messages, err := h.box.decode(e.data)
		if err != nil {
			h.box.garbage(e.data, err)
			return emit(e, nil)
		}
		sent := false
		for _, m := range messages {
			mine, text := x.pass(m)
			answered = answered || mine
			if text != nil {
				if err := emit(e, text); err != nil {
					return err
				}
				sent = true
			}
		}
		if !sent {
			if err := emit(e, nil); err != nil {
				return err
			}
		}
		if answered {
			return errAnswered
		}
		return nil
	})
}

// encode writes an event with the message in place of its data.
func encode(e event, message []byte) []byte {
	var b bytes.Buffer
	if e.name != "" && message != nil {
		fmt.Fprintf(&b, "event: %s\n", e.name)
	}
	if e.id != "" {
		fmt.Fprintf(&b, "id: %s\n", e.id)
	}
	if e.retry != "" {
		fmt.Fprintf(&b, "retry: %s\n", e.retry)
	}
	if len(message) > 0 {
		b.WriteString("data: ")
		b.Write(message)
		b.WriteByte('\n')
	}
	if b.Len() == 0 {
		return nil
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// piped returns a response with a stream of events, and the end to write them
// to. Each write must be one event: the SDK's SSE client reads the first one
// with a buffer that it then throws away.
func (x *exchange) piped(from *http.Response) (*http.Response, *io.PipeWriter) {
	r, w := io.Pipe()
	resp := &http.Response{
		Status: httpStatus(http.StatusOK), StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/event-stream"}}, Request: x.req, ContentLength: -1,
	}
	// Where the SDK does not read any more, the writer must not stand.
	stop := context.AfterFunc(x.ctx, func() { r.CloseWithError(context.Cause(x.ctx)) })
	resp.Body = &pipeBody{PipeReader: r, free: func() {
		stop()
		r.CloseWithError(context.Canceled)
		x.free()
	}}
	if from != nil {
		x.withSession(resp, from)
	}
	return resp, w
}

type pipeBody struct {
	*io.PipeReader
	free func()
}

func (b *pipeBody) Close() error {
	b.free()
	return nil
}

// spawn runs f as part of the exchange's link, or not at all where that is
// being closed.
func (x *exchange) spawn(f func()) bool {
	x.h.mu.Lock()
	defer x.h.mu.Unlock()
	if x.h.closing {
		return false
	}
	x.h.running.Go(f)
	return true
}

// stream hands on a response that is a stream of events.
func (x *exchange) stream(from *http.Response) *http.Response {
	resp, w := x.piped(from)
	started := x.spawn(func() {
		defer from.Body.Close()
		// The SDK takes up a stream where it knows an id, and ends the call where
		// it does not.
		resumable := x.req.Header.Get(headerLast) != ""
		err := x.events(from.Body, func(e event, message []byte) error {
			resumable = resumable || e.id != ""
			_, err := w.Write(encode(e, message))
			return err
		})
		if errors.Is(err, errAnswered) {
			w.Close()
			return
		}
		if !resumable && x.ctx.Err() == nil {
			x.fail(x.h.brokeOff(err))
		}
		w.Close()
	})
	if !started {
		from.Body.Close()
		w.Close()
	}
	return resp
}

func (h *httpLink) brokeOff(err error) *Error {
	e := h.errorf(Unavailable, true, "its answer broke off")
	if !errors.Is(err, io.EOF) {
		e.Message += ": " + h.networkError(err, true).Message
	}
	e.trips = true
	return e
}

// resume takes up the stream of a call.
func (x *exchange) resume() (*http.Response, error) {
	h := x.h
	resp, err := h.net.RoundTrip(x.req)
	if err != nil {
		return nil, h.networkError(err, true) // the SDK tries again
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case transient(resp.StatusCode):
		resp.Body.Close()
		return nil, h.errorf(Unavailable, true, "it answered %s", httpStatus(resp.StatusCode))
	case resp.StatusCode < 300 && media == "text/event-stream":
		return x.stream(resp), nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	resp.Body.Close()
	e := h.statusError(resp, text)
	e.Kind, e.Sent, e.Message = Unavailable, true, "its answer broke off and cannot be taken up: "+e.Message
	if x.call != nil {
		// With its context the call ends alone; else the SDK ends the session.
		x.call.abort(e)
	}
	return nil, e
}

// openOld opens the stream of an SSE connection.
func (x *exchange) openOld() (*http.Response, error) {
	h := x.h
	resp, err := h.net.RoundTrip(x.req)
	if err != nil {
		e := h.networkError(err, x.sent.Load())
		h.note(e)
		return nil, e
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		resp.Body.Close()
		x.free()
		return resp, nil
	case resp.StatusCode >= 400:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		resp.Body.Close()
		e := h.statusError(resp, text)
		h.note(e)
		return nil, e
	case media != "text/event-stream":
		resp.Body.Close()
		e := h.errorf(Protocol, true, "it answered with the type %q, where SSE has text/event-stream", clip(resp.Header.Get("Content-Type")))
		h.note(e)
		return nil, e
	}
	x.call = nil // the stream is everybody's
	return x.stream(resp), nil
}

// listen is the stream for what belongs to no call. To the SDK it never ends,
// nor keeps it waiting: servers drop it whenever they like, have none, or say
// nothing until they have something to say, and none of that is a reason to end
// the session.
func (x *exchange) listen() *http.Response {
	resp, w := x.piped(nil)
	if !x.spawn(func() { x.keepListening(w) }) {
		w.Close()
	}
	return resp
}

func (x *exchange) keepListening(w *io.PipeWriter) {
	defer w.Close()
	h := x.h
	last := ""
	failures := 0
	for opened := false; ; {
		req := x.req.Clone(x.req.Context())
		if last != "" {
			req.Header.Set(headerLast, last)
		}
		pause := time.Second
		resp, err := h.net.RoundTrip(req)
		if err != nil || transient(resp.StatusCode) {
			failures++
			if err == nil {
				resp.Body.Close()
			}
		} else {
			media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
			if resp.StatusCode != http.StatusOK || media != "text/event-stream" {
				resp.Body.Close()
				if opened && resp.StatusCode == http.StatusNotFound {
					h.end(h.errorf(Unavailable, true, "it no longer knows our session (%s)", httpStatus(resp.StatusCode)))
				} else {
					h.log.Debug("upstream has no stream for notifications", "status", resp.StatusCode)
				}
				<-x.ctx.Done()
				return
			}
			opened, failures = true, 0
			err = x.events(resp.Body, func(e event, message []byte) error {
				if e.id != "" {
					last = e.id
				}
				if n, err := strconv.Atoi(e.retry); err == nil {
					pause = time.Duration(n) * time.Millisecond
				}
				if len(message) == 0 {
					return nil
				}
				_, err := w.Write(encode(event{}, message))
				return err
			})
			resp.Body.Close()
			h.log.Debug("upstream ended the stream for notifications", "err", err)
		}
		if failures > 0 {
			pause = min(time.Second<<min(failures, 10), 30*time.Second)
		}
		timer := time.NewTimer(pause + rand.N(pause/2+1))
		select {
		case <-timer.C:
		case <-x.ctx.Done():
			timer.Stop()
			return
		}
	}
}

func transient(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return true
	}
	return false
}
