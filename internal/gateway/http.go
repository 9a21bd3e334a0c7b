package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// HTTPConfig says how a Gateway is served over HTTP. Zero means the default.
// It is copied.
type HTTPConfig struct {
	// Path is the path of the MCP endpoint. Default "/mcp".
	Path string
	// Tokens and JWT say who may connect, and as whom. Where there is neither,
	// everybody is the principal "local", and Serve refuses addresses that
	// other machines can reach, unless AllowUnauthenticated is set.
	Tokens               []Token
	JWT                  *JWTConfig
	AllowUnauthenticated bool
	// Origins are the origins of web pages that may connect, such as
	// "https://app.example.org". What is not sent by a page has no origin, and
	// may.
	Origins []string
	// Hosts are the names by which requests may call this server, with a port
	// or without, besides the address that it is reached at and, for a
	// loopback one, localhost.
	Hosts []string
	// TLS has the certificate, where Serve is to speak TLS. Or TLSCert and TLSKey
	// are PEM files with it, which are read again when they change.
	TLS             *tls.Config
	TLSCert, TLSKey string
	// MaxBody and MaxHeader bound a request, in bytes. Default 4 MiB and 64 KiB.
	MaxBody, MaxHeader int64
	// MaxBodies bounds the bodies of all requests that are under way, and of
	// those whose client has gone and whose program runs, in bytes. Where there
	// may be several principals, half of it is the bound for one; decoding one
	// takes more than its size for a moment. Default 64 MiB.
	MaxBodies int64
	// HeaderTimeout and BodyTimeout bound how long a request may take to
	// arrive, IdleTimeout a connection without one, WriteTimeout how long a
	// client may leave untaken what is written to it. Default 10 s, 30 s,
	// 2 min, 30 s.
	HeaderTimeout, BodyTimeout, IdleTimeout, WriteTimeout time.Duration
	// KeepAlive is how long a stream of events may be silent before a comment
	// is sent on it. Default 15 s.
	KeepAlive time.Duration
	// MaxConnections bounds the connections; further ones wait to be accepted.
	// Default 4096.
	MaxConnections int
	// MaxConnectionsPerAddress bounds those of one address, which for IPv6 is a
	// network of 64 bits; further ones are closed. Default none: behind a proxy
	// all have its address.
	MaxConnectionsPerAddress int
	// MaxRequests and MaxRequestsPerPrincipal bound the requests that are under
	// way, with the streams that are open. Default 8192 and 1024, or
	// MaxRequests where that is less.
	MaxRequests, MaxRequestsPerPrincipal int
	// MaxSessions and MaxPerPrincipal bound the sessions. Default 1024 and 256,
	// or MaxSessions where that is less.
	MaxSessions, MaxPerPrincipal int
	// SessionTimeout ends a session that has no request under way and none of
	// whose programs runs. Default 30 min.
	SessionTimeout time.Duration
	// MaxEvents bounds what is kept for clients that lost their connection, in
	// bytes, and a quarter of it is the bound for one session. Default 64 MiB.
	MaxEvents int64
	// Drain is how long executions may go on when Serve's context has ended.
	// Default 30 s; negative means not at all.
	Drain time.Duration
	// Ready says what is missing for programs to be run, or nothing; servers by
	// their names where the one who asks may know them, which not everybody may.
	// It must be quick. Nil: nothing is ever missing.
	Ready func(names bool) []string
}

// HTTP serves a Gateway over Streamable HTTP: protocol versions up to
// 2025-11-25 with sessions, those from 2026-07-28 on without, at one endpoint;
// and /healthz and /readyz. It is an http.Handler. Make one with NewHTTP, and
// Close it; Serve does that itself.
type HTTP struct {
	g   *Gateway
	cfg HTTPConfig
	log *slog.Logger

	auth       *authenticator // nil: nobody has to say who he is
	hosts      hosts
	gate       *gate
	places     *places
	events     *events
	bodies     *budget
	untaken    untaken
	discards   chan struct{} // has one in it for each refused request that is read to its end
	sessions   http.Handler
	stateless  http.Handler
	metadata   string // path of the OAuth metadata; empty: there is no issuer
	draining   atomic.Bool
	posts      atomic.Int64 // requests that may still get an answer
	life       context.Context
	end        context.CancelFunc
	background sync.WaitGroup
}

// NewHTTP returns a handler that serves g, or an error that names the field
// that is wrong. Where an issuer's keys are fetched, it waits for them, 10 s at
// most.
func (g *Gateway) NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("gateway: HTTPConfig.%w", err)
	}
	h := &HTTP{
		g: g, cfg: cfg, log: g.log, hosts: newHosts(cfg.Hosts),
		gate:     newGate(cfg.MaxRequests, cfg.MaxRequestsPerPrincipal),
		places:   newPlaces(cfg.MaxSessions, cfg.MaxPerPrincipal, cfg.SessionTimeout),
		events:   newEvents(cfg.MaxEvents),
		discards: make(chan struct{}, max(cfg.MaxConnections/16, 1)),
		untaken:  untaken{max: maxUntaken},
	}
	h.life, h.end = context.WithCancel(context.Background())
	var err error
	if h.auth, err = newAuthenticator(h.life, cfg.Tokens, cfg.JWT, g.log); err != nil {
		h.end()
		return nil, fmt.Errorf("gateway: HTTPConfig.%w", err)
	}
	share := cfg.MaxBodies
	if h.auth != nil { // but one request must fit
		share = max(share/2, cfg.MaxBody)
	}
	h.bodies = newBudget(cfg.MaxBodies, share)
	if err := h.certificate(); err != nil {
		h.end()
		return nil, fmt.Errorf("gateway: HTTPConfig.%w", err)
	}
	server := func(*http.Request) *mcp.Server { return g.server }
	// The checks that the SDK has for these are ours to make, with what is
	// configured; a body has been read when the SDK sees it.
	options := mcp.StreamableHTTPOptions{Logger: g.log, DisableLocalhostProtection: true, MaxRequestBodyBytes: -1}
	stateful, stateless := options, options
	stateful.EventStore = h.events
	stateless.Stateless, stateless.PropagateRequestCancellation = true, true
	h.sessions = identified(mcp.NewStreamableHTTPHandler(server, &stateful))
	h.stateless = identified(mcp.NewStreamableHTTPHandler(server, &stateless))
	if cfg.JWT != nil {
		h.metadata = "/.well-known/oauth-protected-resource"
	}
	h.background.Go(h.sweep)
	return h, nil
}

func (c *HTTPConfig) check() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxBody", c.MaxBody}, {"MaxHeader", c.MaxHeader}, {"MaxBodies", c.MaxBodies}, {"HeaderTimeout", int64(c.HeaderTimeout)},
		{"BodyTimeout", int64(c.BodyTimeout)}, {"IdleTimeout", int64(c.IdleTimeout)}, {"WriteTimeout", int64(c.WriteTimeout)},
		{"KeepAlive", int64(c.KeepAlive)}, {"MaxConnections", int64(c.MaxConnections)},
		{"MaxConnectionsPerAddress", int64(c.MaxConnectionsPerAddress)}, {"MaxRequests", int64(c.MaxRequests)},
		{"MaxRequestsPerPrincipal", int64(c.MaxRequestsPerPrincipal)}, {"MaxSessions", int64(c.MaxSessions)},
		{"MaxPerPrincipal", int64(c.MaxPerPrincipal)}, {"SessionTimeout", int64(c.SessionTimeout)}, {"MaxEvents", c.MaxEvents},
	} {
		if f.value < 0 {
			return fmt.Errorf("%s is %d: it must be positive, or 0 for the default", f.name, f.value)
		}
	}
	setDefault(&c.Path, "/mcp")
	setDefault(&c.MaxBody, 4<<20)
	setDefault(&c.MaxHeader, 64<<10)
	setDefault(&c.MaxBodies, 64<<20)
	setDefault(&c.HeaderTimeout, 10*time.Second)
	setDefault(&c.BodyTimeout, 30*time.Second)
	setDefault(&c.IdleTimeout, 2*time.Minute)
	setDefault(&c.WriteTimeout, 30*time.Second)
	setDefault(&c.KeepAlive, 15*time.Second)
	setDefault(&c.MaxConnections, 4096)
	setDefault(&c.MaxRequests, 8192)
	setDefault(&c.MaxRequestsPerPrincipal, min(1024, c.MaxRequests))
	setDefault(&c.MaxSessions, 1024)
	setDefault(&c.MaxPerPrincipal, min(256, c.MaxSessions))
	setDefault(&c.SessionTimeout, 30*time.Minute)
	setDefault(&c.MaxEvents, 64<<20)
	setDefault(&c.Drain, 30*time.Second)
	if c.MaxHeader > math.MaxInt32 {
		return fmt.Errorf("MaxHeader is %d: it must be less than 2 GiB", c.MaxHeader)
	}
	switch c.Path {
	case "/healthz", "/readyz":
		//lint:ignore ST1005 it follows "HTTPConfig."
		return fmt.Errorf("Path is %q, where something else is served", c.Path)
	}
	if !strings.HasPrefix(c.Path, "/") {
		//lint:ignore ST1005 it follows "HTTPConfig."
		return fmt.Errorf("Path is %q: it must begin with /", c.Path)
	}
	return nil
}

// sweep frees what is over, until Close.
func (h *HTTP) sweep() {
	tick := time.NewTicker(max(min(h.cfg.SessionTimeout/4, 15*time.Second), 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.places.sweep()
			h.g.stashes.Sweep()
		case <-h.life.Done():
			return
		}
	}
}

// Close ends what HTTP does in the background, and returns when it has ended.
// It does not end sessions: that is what closing the Gateway does.
func (h *HTTP) Close() {
	h.end()
	h.background.Wait()
	h.places.ending.Wait()
}

// ServeHTTP implements http.Handler.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// Also of what nobody reads: net/http waits for it before it goes on.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.cfg.BodyTimeout)) // in tests there may be none
	}
	switch path := r.URL.Path; {
	case path == h.cfg.Path:
		if no := h.serveMCP(w, r); no != nil {
			no.answer(h, w, r)
		}
	case path == "/healthz" && isRead(r):
		fmt.Fprintln(w, "ok")
	case path == "/readyz" && isRead(r):
		h.serveReady(w, r)
	case h.metadata != "" && (path == h.metadata || path == h.metadata+h.cfg.Path):
		h.serveMetadata(w, r)
	default:
		http.NotFound(w, r)
	}
}

func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

func (h *HTTP) serveReady(w http.ResponseWriter, r *http.Request) {
	var missing []string
	if h.draining.Load() {
		missing = append(missing, "it is shutting down")
	}
	if h.cfg.Ready != nil {
		missing = append(missing, h.cfg.Ready(h.mayKnow(r))...)
	}
	if len(missing) == 0 {
		fmt.Fprintln(w, "ready")
		return
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, "not ready: "+strings.Join(missing, "; "), http.StatusServiceUnavailable)
}

// mayKnow reports whether who asks outside of the protocol may use it.
func (h *HTTP) mayKnow(r *http.Request) bool {
	if !h.hosts.allow(r.Host, localAddr(r)) || !originAllowed(r, h.cfg.Origins) {
		return false
	}
	if h.gate.enter() != nil { // an issuer may have to be asked
		return false
	}
	defer h.gate.leave()
	_, err := h.identify(r)
	return err == nil
}

// serveMetadata tells a client where it gets a token (RFC 9728).
func (h *HTTP) serveMetadata(w http.ResponseWriter, r *http.Request) {
	if !h.hosts.allow(r.Host, localAddr(r)) {
		h.forbidden(r, "Host", r.Host).answer(h, w, r)
		return
	}
	auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource: h.url(r, h.cfg.Path), AuthorizationServers: []string{h.cfg.JWT.Issuer}, BearerMethodsSupported: []string{"header"},
	}).ServeHTTP(w, r)
}

// url is a path as clients reach it. The host has been checked.
func (h *HTTP) url(r *http.Request, path string) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: path}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		u.Scheme = "https"
	}
	return u.String()
}

func localAddr(r *http.Request) net.Addr {
	a, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return a
}
