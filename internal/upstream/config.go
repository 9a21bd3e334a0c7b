package upstream

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Transport is how a server is reached.
type Transport string

// The transports.
const (
	// Auto is Stdio where there is a Command; where there is a URL it is HTTP,
	// and SSE where the server refuses that as servers do that do not know it.
	Auto Transport = ""
	// Stdio is a process of our own.
	Stdio Transport = "stdio"
	// HTTP is Streamable HTTP.
	HTTP Transport = "http"
	// SSE is HTTP with server-sent events as it was before 2025-03-26.
	SSE Transport = "sse"
)

// Config says how one server is reached and what it may take. Name, and
// Command or URL, must be set; zero means the default elsewhere. It is copied.
type Config struct {
	// Name is what programs call the server: 1 to 64 characters of A-Z a-z
	// 0-9 _ - and ., beginning with a letter, a digit or _.
	Name string
	// Transport is how the server is reached. Default: Auto.
	Transport Transport

	// Command is the program of a Stdio server and its arguments. A program
	// without a slash is looked up in the host's PATH.
	Command []string
	// Env is set for the server, as NAME=value. In front of it come PATH,
	// HOME, USER, LOGNAME, SHELL, LANG, LC_ALL, TZ and TMPDIR of the host,
	// because npx, uvx and docker do not work without; nothing else of the
	// host's environment reaches a server.
	Env []string
	// BareEnv leaves the host's variables out: Env alone is what it gets.
	BareEnv bool
	// Dir is the working directory. Default: the host's.
	Dir string

	// URL is the endpoint of an HTTP or SSE server. Proxies are taken from the
	// host's environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
	URL string
	// Headers go with every request to URL, and to nowhere else: a redirect to
	// another origin is refused. A bearer token is an Authorization header.
	Headers map[string]string

	// ConnectTimeout bounds the start up to the end of the handshake. Default
	// 30 s, because npx may have to download the server first.
	ConnectTimeout time.Duration
	// DiscoverTimeout is how long the server may leave the newest protocol's
	// first request unanswered before the older handshake is tried on the same
	// connection. Default 2 s; negative means the older handshake alone. Over
	// SSE it is always the older one.
	DiscoverTimeout time.Duration
	// CallTimeout bounds one request; the time in which the server waits for
	// an answer of the client does not count. Default 60 s; negative means as
	// long as the context.
	CallTimeout time.Duration
	// MaxFrame is the size of one message in bytes, in either direction.
	// Default 32 MiB.
	MaxFrame int
	// Grace is how long a process has to end after its input was closed, and
	// again after SIGTERM; and how long an HTTP server has to take note of the
	// end of its session. Default 2 s.
	Grace time.Duration

	// BackoffMin and BackoffMax bound how long a Set waits before it connects
	// again: it begins with about the first and doubles up to the second, and
	// begins anew when the server has been up for 30 s. Defaults 250 ms and
	// 30 s.
	BackoffMin, BackoffMax time.Duration
	// RefreshInterval is how often a Set asks for the lists of tools and
	// resources, besides when the server says that they have changed. Default
	// 15 min; negative means never.
	RefreshInterval time.Duration
	// BreakerFailures is how many requests in a row must fail for want of a
	// working server before a Set sends no more for BreakerCooldown. A request
	// that the server answers, be it with an error, is no failure. Default 5;
	// negative means that there is no circuit breaker.
	BreakerFailures int
	// BreakerCooldown is how long the circuit stays open. Default 10 s.
	BreakerCooldown time.Duration

	// NoAsking tells the server that there is nobody whom it could ask:
	// sampling, elicitation and roots are not offered to it, and refused.
	NoAsking bool
	// Logger gets the server's stderr and log messages, and what is odd about
	// it. Default: nothing is logged.
	Logger *slog.Logger
}

var (
	validName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
	validHeader = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// reserved are the headers that belong to the transport.
var reserved = []string{
	"Accept", "Accept-Encoding", "Connection", "Content-Length", "Content-Type", "Host", "Last-Event-Id", "Mcp-Method", "Mcp-Name",
	"Mcp-Protocol-Version", "Mcp-Session-Id", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (c Config) withDefaults() (Config, error) {
	if !validName.MatchString(c.Name) {
		return c, fmt.Errorf("upstream: Name is %q: it must have 1 to 64 characters of A-Z a-z 0-9 _ - . and begin with a letter, a digit or _", c.Name)
	}
	wrong := func(format string, args ...any) (Config, error) {
		return c, fmt.Errorf("upstream %s: "+format, append([]any{c.Name}, args...)...)
	}
	switch c.Transport {
	case Auto:
		if c.URL == "" {
			c.Transport = Stdio
		}
	case Stdio, HTTP, SSE:
	default:
		return wrong("Transport is %q: it must be stdio, http, sse, or empty for the one that fits", c.Transport)
	}
	switch {
	case c.Transport == Stdio && c.URL != "":
		return wrong("URL is set: a server is reached by it or started by Command, not both")
	case c.Transport == Stdio && (len(c.Command) == 0 || c.Command[0] == ""):
		return wrong("Command is empty: it must name a program, or URL must be set")
	case c.Transport != Stdio && len(c.Command) > 0:
		return wrong("Command is set: a server is started by it or reached by URL, not both")
	}
	for _, e := range c.Env {
		if i := strings.IndexByte(e, '='); i < 1 || strings.IndexByte(e, 0) >= 0 {
			// The value is not shown: it may be a secret.
			return wrong("Env has an entry of %d bytes that is not NAME=value", len(e))
		}
	}
	if c.Transport != Stdio {
		if _, err := parseURL(c.URL); err != nil {
			return wrong("URL %w", err)
		}
	}
	for name, value := range c.Headers {
		switch {
		case !validHeader.MatchString(name):
			return wrong("Headers has %q, which is no name of a header", name)
		case slices.Contains(reserved, http.CanonicalHeaderKey(name)):
			return wrong("Headers has %s, which belongs to the transport", name)
		case strings.ContainsAny(value, "\r\n\x00"):
			return wrong("Headers has a line break in the value of %s", name)
		}
	}
	if c.MaxFrame < 0 {
		return wrong("MaxFrame is %d: it must be positive, or 0 for the default", c.MaxFrame)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"ConnectTimeout", c.ConnectTimeout}, {"Grace", c.Grace}, {"BackoffMin", c.BackoffMin}, {"BackoffMax", c.BackoffMax},
		{"BreakerCooldown", c.BreakerCooldown},
	} {
		if d.value < 0 {
			return wrong("%s is %v: it must be positive, or 0 for the default", d.field, d.value)
		}
	}
	c.Command = slices.Clone(c.Command)
	c.Env = slices.Clone(c.Env)
	c.Headers = maps.Clone(c.Headers)
	setDefault(&c.ConnectTimeout, 30*time.Second)
	setDefault(&c.DiscoverTimeout, 2*time.Second)
	setDefault(&c.CallTimeout, 60*time.Second)
	setDefault(&c.MaxFrame, 32<<20)
	setDefault(&c.Grace, 2*time.Second)
	setDefault(&c.BackoffMin, 250*time.Millisecond)
	setDefault(&c.BackoffMax, max(30*time.Second, c.BackoffMin))
	setDefault(&c.RefreshInterval, 15*time.Minute)
	setDefault(&c.BreakerFailures, 5)
	setDefault(&c.BreakerCooldown, 10*time.Second)
	if c.BackoffMax < c.BackoffMin {
		return wrong("BackoffMax is %v: it must not be less than BackoffMin, which is %v", c.BackoffMax, c.BackoffMin)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// parseURL reads the URL of a server. The error does not show it: there may be
// a secret in it.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("is empty: it must be the server's endpoint")
	case err != nil:
		return nil, errors.New("is no URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with http:// or https://")
	case u.Host == "":
		return nil, errors.New("has no host")
	}
	return u, nil
}

func setDefault[T ~int | ~int64](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}
