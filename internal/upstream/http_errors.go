package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// networkError says in words what kept a request from its answer. It shows
// neither the URL, in which there may be a secret, nor headers.
func (h *httpLink) networkError(err error, sent bool) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	e := &Error{Kind: Unavailable, Server: h.cfg.Name, Sent: sent, trips: true, err: err}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	host := h.base.Host
	unknown, isUnknown := errors.AsType[x509.UnknownAuthorityError](err)
	name, isName := errors.AsType[x509.HostnameError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	record, isRecord := errors.AsType[tls.RecordHeaderError](err)
	alert, isAlert := errors.AsType[tls.AlertError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case isOp && op.Op == "proxyconnect":
		e.Message = "the proxy of the environment cannot be reached: " + op.Err.Error()
	case isUnknown:
		issuer := ""
		if unknown.Cert != nil {
			issuer = fmt.Sprintf(" (issued by %q)", clip(unknown.Cert.Issuer.String()))
		}
		e.Message = "its TLS certificate" + issuer + " is signed by an authority that is not trusted here; SSL_CERT_FILE can name a file with more"
	case isName:
		e.Message = "its TLS certificate is for another name: " + clip(name.Error())
	case isInvalid && invalid.Reason == x509.Expired:
		e.Message = "its TLS certificate has expired or is not valid yet: " + clip(invalid.Detail)
	case isInvalid:
		e.Message = "its TLS certificate is not valid: " + clip(invalid.Error())
	case isRecord && string(record.RecordHeader[:]) == "HTTP/":
		e.Message = fmt.Sprintf("%s answers without TLS: its URL begins with http://", host)
	case isRecord:
		e.Message = fmt.Sprintf("%s does not speak TLS", host)
	case isAlert:
		e.Message = "it ended the TLS handshake: " + alert.Error()
	case isDNS && dns.IsNotFound:
		e.Message = fmt.Sprintf("there is no host %q", clip(dns.Name))
	case isDNS:
		e.Message = fmt.Sprintf("looking up the host %q: %s", clip(dns.Name), dns.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Message = fmt.Sprintf("nothing listens at %s", host)
	case errors.Is(err, context.Canceled):
		e.Message, e.trips = "the request was cancelled", false
	case errors.Is(err, context.DeadlineExceeded), isTimeout && timeout.Timeout():
		e.Message = fmt.Sprintf("%s did not answer in time", host)
	default:
		e.Message = "the connection with it failed: " + clip(err.Error())
	}
	return e
}

// statusError says what an HTTP status means here. Text is the body.
func (h *httpLink) statusError(resp *http.Response, text []byte) *Error {
	status := resp.StatusCode
	// The body of a refusal by what stands before a server is a page; its
	// first words are for the log.
	if words := printable(text[:min(len(text), 200)]); words != "" {
		h.log.Debug("upstream refused a request", "status", status, "body", words)
	}
	e := h.errorf(Denied, false, "it refused the request: %s", httpStatus(status))
	switch {
	case status == http.StatusUnauthorized:
		e.Message = "it wants other credentials (" + httpStatus(status) + "): look at its headers in the configuration"
	case status == http.StatusForbidden:
		e.Message = "its credentials do not allow this (" + httpStatus(status) + ")"
	case status == http.StatusProxyAuthRequired:
		e.Message = "the proxy of the environment wants credentials (" + httpStatus(status) + ")"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusGone:
		e.Message = "its URL is no MCP endpoint (" + httpStatus(status) + ")"
	case status == http.StatusTooManyRequests:
		e.Kind, e.trips = Unavailable, true
		e.Message = "it has had too many requests (" + httpStatus(status) + ")"
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	case status == http.StatusRequestTimeout, status >= 500:
		// Whether what stands before it had passed the request on is unknown.
		e.Kind, e.Sent, e.trips = Unavailable, true, true
		e.Message = "it failed: " + httpStatus(status)
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	}
	return e
}

// retryAfter reads the header, of which dates are left out.
func retryAfter(header string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(header))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}
