package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/autoclave-run/autoclave"
)

// denial is the answer to a request that the protocol never sees.
type denial struct {
	status int
	header http.Header
	err    *autoclave.Error
}

func refused(status int, e *autoclave.Error) *denial {
	return &denial{status, http.Header{}, e}
}

func overloaded(message string, after time.Duration) *denial {
	no := refused(http.StatusServiceUnavailable, &autoclave.Error{Code: autoclave.Overloaded, Message: message, Retryable: true, RetryAfter: after})
	no.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	return no
}

func tooMany() *denial {
	return refused(http.StatusRequestEntityTooLarge, &autoclave.Error{
		Code: autoclave.ArgumentLimit, Message: fmt.Sprintf("there are more than %d messages in one request", maxBatch),
		Suggestion: "Send them in several requests.",
	})
}

func (h *HTTP) forbidden(r *http.Request, header, value string) *denial {
	value = clip(value, 200)
	h.log.Debug("a request was refused", "header", header, "value", value, "from", r.RemoteAddr)
	return refused(http.StatusForbidden, &autoclave.Error{
		Code: autoclave.PolicyDenied, Message: fmt.Sprintf("the %s %q is not allowed here", header, value),
		Suggestion: fmt.Sprintf("If it should be, add it to allowed_%ss in the configuration.", strings.ToLower(header)),
	})
}

func (h *HTTP) unauthorized(r *http.Request, err error) *denial {
	h.log.Debug("a request was refused", "err", err, "from", r.RemoteAddr)
	challenge, message := `Bearer realm="autoclave"`, "a bearer token is needed"
	if bearer(r) != "" {
		challenge += `, error="invalid_token"`
		message = "the bearer token is not valid"
	}
	if h.metadata != "" {
		challenge += fmt.Sprintf(`, resource_metadata=%q`, h.url(r, h.metadata+h.cfg.Path))
	}
	no := refused(http.StatusUnauthorized, &autoclave.Error{Code: autoclave.PolicyDenied, Message: message})
	no.header.Set("WWW-Authenticate", challenge)
	return no
}

// refusedByHTTP is the JSON-RPC code of what is refused before the protocol.
const refusedByHTTP = -32000

// write answers with a JSON-RPC error of no request in particular.
func (no *denial) write(w http.ResponseWriter) {
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": nil,
		"error": map[string]any{
			"code": refusedByHTTP, "message": string(no.err.Code) + ": " + no.err.Message,
			"data": failed{Error: no.err, RetryAfter: no.err.RetryAfter.Milliseconds()},
		},
	})
	if err != nil {
		panic("gateway: an error always marshals: " + err.Error())
	}
	body = append(body, '\n')
	h := w.Header()
	for name, values := range no.header {
		h[name] = values
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body))) // so that the answer is whole before the request is
	w.WriteHeader(no.status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// answer refuses a request that has not been read to its end. A connection that
// is closed while its client still sends is reset, and the reset takes away the
// answer that the client has not read yet. So the answer goes first, and the
// rest of the request is read and thrown away: as much as a request may be,
// within the time that one may take, and of so many at once. What is more is
// cut.
func (no *denial) answer(h *HTTP, w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.ProtoMajor != 1 { // HTTP/2 ends a stream without a reset of the others
		no.write(w)
		return
	}
	// Of a connection that goes on, what is left would be taken for a request.
	w.Header().Set("Connection", "close")
	control := http.NewResponseController(w)
	select {
	case h.discards <- struct{}{}:
		defer func() { <-h.discards }()
	default:
		_ = control.SetReadDeadline(time.Now()) // net/http shall not wait for it either
		no.write(w)
		return
	}
	_ = control.EnableFullDuplex() // else net/http reads first; where it cannot it does that
	no.write(w)
	_ = control.Flush()
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, h.cfg.MaxBody))
	_ = control.SetReadDeadline(time.Now())
}
