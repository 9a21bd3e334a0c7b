package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// exchange is one HTTP request of the SDK. It ends with free: when it failed,
// or when the body of its response is closed.
type exchange struct {
	h    *httpLink
	ctx  context.Context // ends with the SDK's request, the link, or free
	req  *http.Request
	call *call // that it belongs to, or nil
	sent atomic.Bool
	free func()

	// Of a POST: what it carries.
	method string // "": a response
	id     int64
	isCall bool
}

// parse finds out what a POST carries.
func (x *exchange) parse(body []byte) {
	e, _ := scanEnvelope(body)
	if json.Unmarshal(e.method, &x.method) != nil {
		x.method = ""
	}
	id, err := strconv.ParseInt(string(e.id), 10, 64)
	x.id, x.isCall = id, err == nil && x.method != ""
}

var aboutSession = regexp.MustCompile(`(?i)\bsession\b`)

func (x *exchange) post(body []byte) (*http.Response, error) {
	h := x.h
	x.parse(body)
	if x.method == "" {
		defer h.box.answered()
	}
	if x.isCall && x.call != nil {
		h.box.expect(x.id, x.call)
	}
	if x.method == methodDiscover && h.cfg.DiscoverTimeout > 0 {
		return x.discover()
	}
	resp, err := h.net.RoundTrip(x.req)
	if err != nil {
		return x.failed(h.networkError(err, x.sent.Load()))
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		// The client follows, or says why it does not.
		resp.Body.Close()
		x.free()
		return resp, nil
	case resp.StatusCode >= 400:
		return x.refused(resp)
	case !x.isCall || h.old:
		// The answer to a call over SSE comes by its stream.
		_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
		resp.Body.Close()
		return x.withSession(x.empty(http.StatusAccepted), resp), nil
	case media == "application/json":
		return x.lazy(resp, func() []byte { return x.readJSON(resp) }), nil
	case media == "text/event-stream":
		return x.stream(resp), nil
	}
	resp.Body.Close()
	return x.failed(h.errorf(Protocol, true, "it answered with %s and the type %q, where MCP has application/json or text/event-stream",
		httpStatus(resp.StatusCode), clip(resp.Header.Get("Content-Type"))))
}

// refused reads a response with an error status.
func (x *exchange) refused(resp *http.Response) (*http.Response, error) {
	h := x.h
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	resp.Body.Close()
	var rpc struct {
		Error json.RawMessage `json:"error"`
	}
	isRPC := json.Unmarshal(text, &rpc) == nil && len(rpc.Error) > 0 && rpc.Error[0] == '{'
	if x.req.Header.Get(headerSession) != "" && (resp.StatusCode == http.StatusNotFound ||
		resp.StatusCode == http.StatusBadRequest && aboutSession.Match(text)) {
		// It was restarted, or has had enough of us. (Some answer 400.)
		e := h.errorf(Unavailable, false, "it no longer knows our session (%s)", httpStatus(resp.StatusCode))
		x.fail(e)
		others := *e
		others.Sent = true
		h.end(&others)
		return x.failed(e)
	}
	if x.method == "initialize" {
		h.mu.Lock()
		switch resp.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusTooManyRequests:
		default:
			h.foreign = resp.StatusCode < 500 && !isRPC
		}
		h.mu.Unlock()
	}
	if isRPC && x.isCall && !h.old {
		// The SDK takes an error for what it is only where the status is 200.
		return x.answer([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":%s}`, x.id, oneLine(rpc.Error)))), nil
	}
	return x.failed(h.statusError(resp, text))
}

// fail makes e the outcome of the call, where there is one and it has none.
func (x *exchange) fail(e *Error) {
	if x.call != nil {
		x.call.failed.CompareAndSwap(nil, e)
	}
}

// failed is what the SDK gets for a request that came to nothing. Only what is
// no call's, and cannot be told otherwise, is an error to it.
func (x *exchange) failed(e *Error) (*http.Response, error) {
	h := x.h
	if x.ctx.Err() != nil {
		return nil, e // nobody waits for it any more
	}
	h.note(e)
	switch {
	case x.isCall && x.call == nil && h.old:
		return nil, e
	case x.isCall && x.call == nil:
		return x.answer(rpcError(x.id, jsonrpc.CodeInternalError, e.Message)), nil
	case x.isCall && h.old:
		x.call.abort(e)
		return x.empty(http.StatusAccepted), nil
	case x.isCall:
		x.fail(e)
		return x.answer(rpcError(x.id, jsonrpc.CodeInternalError, e.Message)), nil
	}
	h.log.Debug("upstream does not take a message", "method", x.method, "err", e)
	return x.empty(http.StatusAccepted), nil
}

// discover asks for the newest protocol and gives up in time.
func (x *exchange) discover() (*http.Response, error) {
	h := x.h
	ctx, cancel := context.WithTimeout(x.ctx, h.cfg.DiscoverTimeout)
	defer cancel()
	resp, err := h.net.RoundTrip(x.req.WithContext(ctx))
	if err == nil && resp.StatusCode < 300 {
		media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		var text []byte
		if media == "text/event-stream" {
			_ = x.events(resp.Body, func(_ event, message []byte) error {
				if len(message) > 0 {
					text = message
				}
				return nil
			})
			resp.Body.Close()
		} else {
			text = x.readJSON(resp)
		}
		if ctx.Err() == nil && text != nil {
			return x.answer(text), nil
		}
	}
	switch {
	case ctx.Err() != nil && x.ctx.Err() == nil:
		h.mu.Lock()
		h.late = true
		h.mu.Unlock()
		h.log.Debug("upstream does not answer server/discover; going on with initialize")
		return x.answer(rpcError(x.id, jsonrpc.CodeMethodNotFound, "no answer to server/discover")), nil
	case err != nil:
		return x.failed(h.networkError(err, x.sent.Load()))
	case resp.StatusCode >= 400:
		return x.refused(resp)
	}
	resp.Body.Close()
	return x.failed(h.errorf(Protocol, true, "it answered server/discover with %s", httpStatus(resp.StatusCode)))
}

func rpcError(id, code int64, message string) []byte {
	text, _ := json.Marshal(message) // a string always marshals
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"error":{"code":%d,"message":%s}}`, id, code, text)
}

// oneLine makes valid JSON fit for a line: between its parts line ends are
// white space, and elsewhere there are none.
func oneLine(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, text)
}

// empty is a response without a body.
func (x *exchange) empty(status int) *http.Response {
	x.free()
	return &http.Response{
		Status: httpStatus(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: x.req,
	}
}

// answer is a response with one message.
func (x *exchange) answer(message []byte) *http.Response {
	resp := x.empty(http.StatusOK)
	resp.Header.Set("Content-Type", "application/json")
	resp.Body = io.NopCloser(bytes.NewReader(message))
	return resp
}

// withSession keeps the one header that the SDK looks for.
func (x *exchange) withSession(to, from *http.Response) *http.Response {
	if id := from.Header.Get(headerSession); id != "" {
		to.Header.Set(headerSession, id)
	}
	return to
}

// lazy is a response whose message is read when the SDK reads it.
func (x *exchange) lazy(from *http.Response, load func() []byte) *http.Response {
	resp := &http.Response{
		Status: from.Status, StatusCode: from.StatusCode, Proto: from.Proto, ProtoMajor: from.ProtoMajor, ProtoMinor: from.ProtoMinor,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: x.req, ContentLength: -1,
	}
	resp.Body = &lazyBody{load: load, free: func() {
		from.Body.Close()
		x.free()
	}}
	return x.withSession(resp, from)
}

type lazyBody struct {
	load func() []byte
	free func()
	r    *bytes.Reader
}

func (b *lazyBody) Read(p []byte) (int, error) {
	if b.r == nil {
		b.r = bytes.NewReader(b.load())
	}
	return b.r.Read(p)
}

func (b *lazyBody) Close() error {
	b.free()
	return nil
}

// readJSON returns the message with which a JSON body answers the call. What
// is wrong with it is the call's failure, and an error response to the SDK.
func (x *exchange) readJSON(resp *http.Response) []byte {
	h := x.h
	defer resp.Body.Close()
	limit := int64(h.cfg.MaxFrame)
	fail := func(e *Error) []byte {
		if x.ctx.Err() == nil {
			h.note(e)
			x.fail(e)
		}
		return rpcError(x.id, jsonrpc.CodeInternalError, e.Message)
	}
	if resp.ContentLength > limit {
		return fail(h.errorf(TooLarge, true, "its answer of %d bytes is over the limit of %d", resp.ContentLength, limit))
	}
	text, err := readBounded(resp.Body, resp.ContentLength, limit)
	switch {
	case err != nil:
		e := h.networkError(err, true)
		e.Message = "its answer broke off: " + e.Message
		return fail(e)
	case int64(len(text)) > limit:
		return fail(h.errorf(TooLarge, true, "its answer is over the limit of %d bytes", limit))
	}
	messages, err := h.box.decode(text)
	if err != nil {
		return fail(h.errorf(Protocol, true, "its answer is no message: %v", err))
	}
	var answer []byte
	for _, m := range messages {
		if mine, ok := x.pass(m); mine && ok != nil {
			answer = ok
		}
	}
	if answer == nil {
		return fail(h.errorf(Protocol, true, "its answer belongs to another request"))
	}
	return answer
}

// readBounded reads at most one byte more than limit. It takes memory as it
// comes, or at once for what a believable length says.
func readBounded(r io.Reader, length, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if length > 0 && length <= 1<<20 {
		b.Grow(int(length) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(r, limit+1))
	return b.Bytes(), err
}

// pass takes a message of the server, and returns it where it is for the SDK.
// Mine says that it is the response to the exchange's own call.
func (x *exchange) pass(m jsonrpc.Message) (mine bool, forSDK []byte) {
	h := x.h
	if r, ok := m.(*jsonrpc.Response); ok {
		id, isInt := r.ID.Raw().(int64)
		mine = x.isCall && isInt && id == x.id
		if own, ok := errors.AsType[*Error](r.Error); ok {
			if mine {
				x.fail(own)
			}
			return mine, rpcError(id, jsonrpc.CodeInternalError, own.Message)
		}
	}
	pass, failure := h.box.receive(m, x.call)
	if failure != nil {
		h.end(failure)
	}
	if !pass {
		return mine, nil
	}
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		h.box.garbage(nil, err)
		return mine, nil
	}
	return mine, oneLine(text)
}

func httpStatus(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}
