package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/autoclave-run/autoclave"
)

// serveMCP lets a request through to the protocol, if it may.
func (h *HTTP) serveMCP(w http.ResponseWriter, r *http.Request) {
	if !h.hosts.allow(r.Host, localAddr(r)) {
		h.forbid(w, r, "Host", r.Host)
		return
	}
	if !originAllowed(r, h.cfg.Origins) {
		h.forbid(w, r, "Origin", r.Header.Get("Origin"))
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		shareWith(w.Header(), origin)
		if r.Method == http.MethodOptions {
			preflight(w)
			return
		}
	}
	if err := h.gate.enter(); err != nil {
		h.overloaded(w, err.Error(), time.Second)
		return
	}
	defer h.gate.leave()
	id := anonymous
	if h.auth != nil {
		var err error
		if id, err = h.auth.check(r.Context(), bearer(r)); err != nil {
			h.unauthorized(w, r, err)
			return
		}
	}
	if err := h.gate.enterAs(id.principal); err != nil {
		h.overloaded(w, err.Error(), time.Second)
		return
	}
	defer h.gate.leaveAs(id.principal)

	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), identityKey{}, id))
	defer cancel()
	if !id.expires.IsZero() && r.Method == http.MethodGet {
		// A stream does not go on after the token. An execution does.
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, id.expires)
		defer stop()
	}
	if r.Method == http.MethodPost {
		body, ok := h.readBody(w, r)
		if !ok {
			return
		}
		defer h.bodies.Add(-int64(len(body)))
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.posts.Add(1)
		defer h.posts.Add(-1)
	}
	pw := newPatientWriter(w, h.cfg.WriteTimeout, h.cfg.KeepAlive, cancel)
	defer pw.end()
	if r.Header.Get("Mcp-Protocol-Version") >= roundTrips {
		h.stateless.ServeHTTP(pw, r.WithContext(context.WithValue(ctx, keepAliveKey{}, pw)))
		return
	}
	if r.Header.Get("Mcp-Session-Id") != "" {
		ctx = pw.hangs(ctx, r.Method == http.MethodGet)
	}
	h.serveSession(pw, r.WithContext(ctx), id.principal)
}

// serveSession serves a request of a version that has sessions.
func (h *HTTP) serveSession(w http.ResponseWriter, r *http.Request, principal string) {
	if id := r.Header.Get("Mcp-Session-Id"); id != "" {
		pl := h.places.use(id, principal)
		if pl == nil {
			// To whom it does not belong it is not there.
			refuse(w, http.StatusNotFound, &autoclave.Error{
				Code: autoclave.InvalidArguments, Message: "there is no such session: it has ended, or never was", Suggestion: "Initialize a new one.",
			})
			return
		}
		defer pl.done()
		if r.Method == http.MethodDelete {
			// The SDK waits for what runs, and nobody waits for the answers.
			pl.s.stop()
			pl.s.end(errClientGone)
		}
		h.sessions.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodPost {
		h.sessions.ServeHTTP(w, r) // which refuses it
		return
	}
	if h.draining.Load() {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, &autoclave.Error{Code: autoclave.ShuttingDown, Message: errShuttingDown.Error()})
		return
	}
	pl, err := h.places.reserve(principal)
	if err != nil {
		h.overloaded(w, err.Message, err.RetryAfter)
		return
	}
	defer pl.settle()
	h.sessions.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), placeKey{}, pl)))
}

// identified tells the SDK whose a request is, as it wants to hear it.
func identified(next http.Handler) http.Handler {
	verify := func(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
		id := ctx.Value(identityKey{}).(identity)
		return &auth.TokenInfo{UserID: id.principal, Expiration: id.expires}, nil
	}
	known := auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bearer(r) == "" { // it needs none, or would not have come here
			r.Header.Set("Authorization", "Bearer none")
		}
		known.ServeHTTP(w, r)
	})
}

// readBody reads the body of a request, which must arrive in time. It counts in
// h.bodies from then on. Where it is false, the request has been answered.
func (h *HTTP) readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.cfg.BodyTimeout)) // in tests there may be none
	body, err := h.read(http.MaxBytesReader(w, r.Body, h.cfg.MaxBody))
	if err == nil {
		// What is read from now on only says that the client has gone.
		_ = control.SetReadDeadline(time.Time{})
		return body, true
	}
	w.Header().Set("Connection", "close")
	var full *autoclave.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, &autoclave.Error{Code: autoclave.ArgumentLimit, Message: fmt.Sprintf("the request is larger than %d bytes", h.cfg.MaxBody)})
	case errors.As(err, &full):
		h.overloaded(w, full.Message, full.RetryAfter)
	default: // it did not come in time, or the client has gone
		refuse(w, http.StatusRequestTimeout, &autoclave.Error{Code: autoclave.InvalidArguments, Message: "the request did not arrive whole in time"})
	}
	return nil, false
}

// read takes memory only for what has arrived, and counts it.
func (h *HTTP) read(from io.Reader) ([]byte, error) {
	var body []byte
	counted := int64(0)
	fail := func(err error) ([]byte, error) {
		h.bodies.Add(-counted)
		return nil, err
	}
	var chunk [16 << 10]byte
	for {
		n, err := from.Read(chunk[:])
		counted += int64(n)
		if h.bodies.Add(int64(n)) > h.cfg.MaxBodies {
			return fail(&autoclave.Error{Code: autoclave.Overloaded, RetryAfter: time.Second, Message: "the requests that are under way are too large together"})
		}
		body = append(body, chunk[:n]...)
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return fail(err)
		}
	}
}

func (h *HTTP) forbid(w http.ResponseWriter, r *http.Request, header, value string) {
	h.log.Debug("a request was refused", "header", header, "value", value, "from", r.RemoteAddr)
	refuse(w, http.StatusForbidden, &autoclave.Error{
		Code: autoclave.PolicyDenied, Message: fmt.Sprintf("the %s %q is not allowed here", header, clip(value, 200)),
		Suggestion: fmt.Sprintf("If it should be, add it to allowed_%ss in the configuration.", strings.ToLower(header)),
	})
}

func (h *HTTP) unauthorized(w http.ResponseWriter, r *http.Request, err error) {
	h.log.Debug("a request was refused", "err", err, "from", r.RemoteAddr)
	challenge, message := `Bearer realm="autoclave"`, "a bearer token is needed"
	if bearer(r) != "" {
		challenge += `, error="invalid_token"`
		message = "the bearer token is not valid"
	}
	if h.metadata != "" {
		challenge += fmt.Sprintf(`, resource_metadata=%q`, h.url(r, h.metadata+h.cfg.Path))
	}
	w.Header().Set("WWW-Authenticate", challenge)
	refuse(w, http.StatusUnauthorized, &autoclave.Error{Code: autoclave.PolicyDenied, Message: message})
}

func (h *HTTP) overloaded(w http.ResponseWriter, message string, after time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	refuse(w, http.StatusServiceUnavailable, &autoclave.Error{Code: autoclave.Overloaded, Message: message, Retryable: true, RetryAfter: after})
}

// refusedByHTTP is the JSON-RPC code of what is refused before the protocol.
const refusedByHTTP = -32000

// refuse answers a request that the protocol never sees, as a JSON-RPC error of
// no request in particular.
func refuse(w http.ResponseWriter, status int, e *autoclave.Error) {
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": nil,
		"error": map[string]any{
			"code": refusedByHTTP, "message": string(e.Code) + ": " + e.Message,
			"data": failed{Error: e, RetryAfter: e.RetryAfter.Milliseconds()},
		},
	})
	if err != nil {
		panic("gateway: an error always marshals: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone needs no answer
}
