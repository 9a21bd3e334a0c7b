package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
)

// serveMCP lets a request through to the protocol, if it may. Where it may not,
// and has not been read, it returns how to answer it: that takes time, in which
// it must hold no place of others.
func (h *HTTP) serveMCP(w http.ResponseWriter, r *http.Request) *denial {
	if !h.hosts.allow(r.Host, localAddr(r)) {
		return h.forbidden(r, "Host", r.Host)
	}
	if !originAllowed(r, h.cfg.Origins) {
		return h.forbidden(r, "Origin", r.Header.Get("Origin"))
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		shareWith(w.Header(), origin)
		if r.Method == http.MethodOptions {
			preflight(w)
			return nil
		}
	}
	if err := h.gate.enter(); err != nil {
		return overloaded(err.Error(), time.Second)
	}
	defer h.gate.leave()
	id, err := h.identify(r)
	if err != nil {
		return h.unauthorized(r, err)
	}
	if err := h.gate.enterAs(id.principal); err != nil {
		return overloaded(err.Error(), time.Second)
	}
	defer h.gate.leaveAs(id.principal)

	var body []byte
	// What no method needs must not stay on the way: net/http would wait for it.
	if r.Method == http.MethodPost || r.ContentLength != 0 {
		held := h.bodies.hold(id.principal)
		defer held.drop()
		var refused *denial
		if body, refused = h.readBody(w, r, held); refused != nil {
			return refused
		}
		id.body = held
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), identityKey{}, id))
	defer cancel()
	if !id.expires.IsZero() && r.Method == http.MethodGet {
		// A stream does not go on after the token. An execution does.
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, id.expires)
		defer stop()
	}
	if r.Method == http.MethodPost {
		h.posts.Add(1)
		defer h.posts.Add(-1)
		if messages(body) > maxBatch {
			tooMany().write(w)
			return nil
		}
	}
	pw := newPatientWriter(w, h.cfg.WriteTimeout, h.cfg.KeepAlive, &h.untaken, cancel)
	defer pw.end()
	if r.Header.Get("Mcp-Protocol-Version") >= roundTrips {
		h.stateless.ServeHTTP(pw, r.WithContext(context.WithValue(ctx, keepAliveKey{}, pw)))
		return nil
	}
	if r.Header.Get("Mcp-Session-Id") != "" {
		ctx = pw.hangs(ctx, r.Method == http.MethodGet)
	}
	h.serveSession(pw, r.WithContext(ctx), id.principal, body)
	return nil
}

// identify returns who sent a request.
func (h *HTTP) identify(r *http.Request) (identity, error) {
	if h.auth == nil {
		return anonymous, nil
	}
	return h.auth.check(r.Context(), bearer(r))
}

// maxBatch is how many messages may come in one request, which the versions
// before 2025-06-18 allow. Each is worked on at the same time, and its answer
// waits for those before it to be read.
const maxBatch = 50

// messages returns how many a body has, or one more than there may be. What is
// no list of any has one. It takes no memory: decoding a list of small things
// takes many times what it has in bytes.
func messages(body []byte) int {
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 || body[0] != '[' {
		return 1
	}
	n, depth, quoted := 1, 0, false
	for i := 0; i < len(body) && n <= maxBatch; i++ {
		switch c := body[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			n++
		}
	}
	return n // of what is no JSON the SDK says so
}

// needsSession reports whether a message can only come with a session. What is
// no message at all the SDK answers, and also one of a version without
// sessions that lacks its header.
func needsSession(body []byte) bool {
	var m struct {
		Method string
		Params struct {
			Meta map[string]json.RawMessage `json:"_meta"`
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return false
	}
	switch m.Method {
	case "initialize", "server/discover", "ping":
		return false
	}
	_, new := m.Params.Meta[mcp.MetaKeyProtocolVersion]
	return !new
}

// serveSession serves a request of a version that has sessions.
func (h *HTTP) serveSession(w http.ResponseWriter, r *http.Request, principal string, body []byte) {
	if id := r.Header.Get("Mcp-Session-Id"); id != "" {
		pl := h.places.use(id, principal)
		if pl == nil {
			// To whom it does not belong it is not there.
			refused(http.StatusNotFound, &autoclave.Error{
				Code: autoclave.InvalidArguments, Message: "there is no such session: it has ended, or never was", Suggestion: "Initialize a new one.",
			}).write(w)
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
	if needsSession(body) {
		refused(http.StatusBadRequest, &autoclave.Error{
			Code: autoclave.InvalidArguments, Message: "the request names no session", Suggestion: "Initialize one, and send its id as Mcp-Session-Id.",
		}).write(w)
		return
	}
	if h.draining.Load() {
		no := refused(http.StatusServiceUnavailable, &autoclave.Error{Code: autoclave.ShuttingDown, Message: errShuttingDown.Error()})
		no.header.Set("Retry-After", "5")
		no.write(w)
		return
	}
	pl, err := h.places.reserve(principal)
	if err != nil {
		overloaded(err.Message, err.RetryAfter).write(w)
		return
	}
	defer pl.settle()
	h.sessions.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), placeKey{}, pl)))
}

// identified tells the SDK whose a request is, as it wants to hear it.
func identified(next http.Handler) http.Handler {
	verify := func(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
		id := ctx.Value(identityKey{}).(identity)
		return &auth.TokenInfo{UserID: id.principal, Expiration: id.expires, Extra: map[string]any{bodyExtra: id.body}}, nil
	}
	known := auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bearer(r) == "" { // it needs none, or would not have come here
			r.Header.Set("Authorization", "Bearer none")
		}
		known.ServeHTTP(w, r)
	})
}

// readBody reads the body of a request, which must arrive in time, and counts
// it in held.
func (h *HTTP) readBody(w http.ResponseWriter, r *http.Request, held *hold) ([]byte, *denial) {
	body, err := read(http.MaxBytesReader(w, r.Body, h.cfg.MaxBody), held)
	var full *autoclave.Error
	var large *http.MaxBytesError
	switch {
	case err == nil:
		// What is read from now on only says that the client has gone.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // in tests there may be none
		return body, nil
	case errors.As(err, &large):
		return nil, refused(http.StatusRequestEntityTooLarge, &autoclave.Error{
			Code: autoclave.ArgumentLimit, Message: fmt.Sprintf("the request is larger than %d bytes", h.cfg.MaxBody),
		})
	case errors.As(err, &full):
		return nil, overloaded(full.Message, full.RetryAfter)
	}
	// It did not come in time, or the client has gone.
	return nil, refused(http.StatusRequestTimeout, &autoclave.Error{Code: autoclave.InvalidArguments, Message: "the request did not arrive whole in time"})
}

// read takes memory only for what has arrived, and counts it.
func read(from io.Reader, held *hold) ([]byte, error) {
	var body []byte
	var chunk [16 << 10]byte
	for {
		n, err := from.Read(chunk[:])
		if full := held.more(int64(n)); full != nil {
			return nil, full
		}
		body = append(body, chunk[:n]...)
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		}
	}
}
