package upstream

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/net/http/httpproxy"
)

const (
	// maxErrorBody is how much of the body of a refusal is read.
	maxErrorBody = 64 << 10
	// resumptions is how often the SDK tries in a row to take up a call's
	// stream that broke off. The call's own deadline comes first. (At some
	// sixty its back-off overflows.)
	resumptions = 50

	headerSession = "Mcp-Session-Id"
	headerLast    = "Last-Event-Id"
)

// httpLink is a connection over HTTP: the SDK's transport, and below it this as
// its http.RoundTripper. There the headers are set, results and notifications
// are taken before the SDK sees them, sizes are bounded, and failures are
// typed. What goes wrong with one request stays its own: the SDK, which would
// end the session over it, sees an ordinary error response.
type httpLink struct {
	cfg   Config
	box   *inbox
	log   *slog.Logger
	base  *url.URL
	old   bool // SSE
	inner mcp.Transport
	net   *http.Transport

	ctx    context.Context // ends with the link; all requests with it
	cancel context.CancelFunc
	once   sync.Once
	over   chan struct{}
	why    *Error // set before over is closed

	mu      sync.Mutex
	conn    mcp.Connection
	last    *Error // what went wrong last, for the handshake
	foreign bool   // initialize was refused as by one who does not know it
	late    bool   // server/discover was given up
	closing bool
	running sync.WaitGroup // requests whose bodies are not closed
}

func openHTTP(cfg Config, box *inbox) (*httpLink, error) {
	base, err := parseURL(cfg.URL)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Server: cfg.Name, Message: "URL " + err.Error(), err: err}
	}
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	h := &httpLink{
		cfg: cfg, box: box, log: cfg.Logger, base: base, old: cfg.Transport == SSE, over: make(chan struct{}),
		net: &http.Transport{
			Proxy:                  func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    10 * time.Second,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConnsPerHost:    16,
			MaxResponseHeaderBytes: 256 << 10,
		},
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	client := &http.Client{Transport: h, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("it redirects more than 5 times")
		}
		return nil // RoundTrip refuses what leads elsewhere
	}}
	// Sizes are bounded below.
	if h.old {
		h.inner = &mcp.SSEClientTransport{Endpoint: cfg.URL, HTTPClient: client, MaxEventSize: -1}
	} else {
		h.inner = &mcp.StreamableClientTransport{Endpoint: cfg.URL, HTTPClient: client, MaxEventSize: -1, MaxRetries: resumptions}
	}
	box.send = func(ctx context.Context, m jsonrpc.Message) error {
		h.mu.Lock()
		conn := h.conn
		h.mu.Unlock()
		return conn.Write(ctx, m)
	}
	return h, nil
}

// Connect implements mcp.Transport. The SDK gets its own connection, which it
// must see through.
func (h *httpLink) Connect(ctx context.Context) (mcp.Connection, error) {
	// The stream of an SSE connection outlives the handshake.
	conn, err := h.inner.Connect(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.conn = conn
	h.mu.Unlock()
	return conn, nil
}

func (h *httpLink) done() <-chan struct{} { return h.over }
func (h *httpLink) failure() *Error       { return h.why }
func (h *httpLink) stderr() string        { return "" }
func (h *httpLink) interrupt()            { h.cancel() }

// end ends the connection for the given reason, and all calls with it: the SDK
// may find out only when the server's last stream has ended.
func (h *httpLink) end(why *Error) {
	h.once.Do(func() {
		h.why = why
		close(h.over)
		h.box.abortAll(why)
	})
}

func (h *httpLink) clear(session *mcp.ClientSession, kill <-chan struct{}) {
	cleared := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		select {
		case <-kill:
			h.cancel()
		case <-cleared:
		}
	})
	h.mu.Lock()
	conn := h.conn
	h.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // tells the server that the session is over
	}
	if session != nil {
		_ = session.Close()
	}
	h.cancel()
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	h.running.Wait()
	close(cleared)
	killer.Wait()
	h.net.CloseIdleConnections()
}

// watch ends the link when the SDK has ended the session.
func (h *httpLink) watch(session *mcp.ClientSession) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return
	}
	h.running.Go(func() {
		e := &Error{Kind: Unavailable, Server: h.cfg.Name, Sent: true, Message: "its stream of events has ended"}
		if err := session.Wait(); err != nil {
			e.Message, e.err = "the connection has ended: "+err.Error(), err
		}
		h.end(e)
	})
}

func (h *httpLink) impatient() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.late
}

// speaksNoHTTP reports whether the server refused Streamable HTTP as one does
// that does not know it.
func (h *httpLink) speaksNoHTTP() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.foreign
}

func (h *httpLink) note(e *Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = e
}

func (h *httpLink) lastFailure() *Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

func (h *httpLink) errorf(kind Kind, sent bool, format string, args ...any) *Error {
	return &Error{Kind: kind, Server: h.cfg.Name, Sent: sent, Message: fmt.Sprintf(format, args...)}
}

// RoundTrip implements http.RoundTripper.
func (h *httpLink) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body) // our own, and bounded
		req.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the body of a request: %w", err)
		}
	}
	if req.URL.Scheme != h.base.Scheme || req.URL.Host != h.base.Host {
		e := h.errorf(Denied, false, "it sends us on to another origin, %s://%s: credentials must not go there", req.URL.Scheme, clip(req.URL.Host))
		h.note(e)
		return nil, e
	}
	h.mu.Lock()
	if h.closing {
		h.mu.Unlock()
		return nil, errors.New("the connection is closed")
	}
	h.running.Add(1)
	h.mu.Unlock()
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(h.ctx, cancel)
	x := &exchange{h: h, ctx: ctx, call: callOf(ctx), free: sync.OnceFunc(func() {
		stop()
		cancel()
		h.running.Done()
	})}
	x.req = req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { x.sent.Store(true) }}))
	for name, value := range h.cfg.Headers {
		x.req.Header.Set(name, value)
	}
	if u := h.base.User; u != nil && x.req.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		x.req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if len(body) > 0 {
		x.req.Body = io.NopCloser(bytes.NewReader(body))
		x.req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	var (
		resp *http.Response
		err  error
	)
	switch {
	case req.Method == http.MethodPost:
		resp, err = x.post(body)
	case req.Method == http.MethodGet && h.old:
		resp, err = x.openOld()
	case req.Method == http.MethodGet && x.req.Header.Get(headerLast) == "":
		resp = x.listen()
	case req.Method == http.MethodGet:
		resp, err = x.resume()
	default: // DELETE
		var late context.CancelFunc
		ctx, late = context.WithTimeout(ctx, h.cfg.Grace)
		defer late()
		if resp, err = h.net.RoundTrip(x.req.WithContext(ctx)); err == nil {
			resp.Body.Close()
			resp = x.empty(resp.StatusCode)
		}
	}
	if err != nil {
		x.free()
	}
	return resp, err
}
