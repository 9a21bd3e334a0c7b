package config

import (
	"strings"
	"time"
)

// HTTP says how the gateway serves over HTTP. Listen is empty where it does
// not. The defaults are in place.
type HTTP struct {
	// Listen is HOST:PORT.
	Listen string
	// Path is the path of the MCP endpoint.
	Path string
	// AllowUnauthenticated says that other than loopback addresses may be
	// bound though there are neither tokens nor a JWT issuer.
	AllowUnauthenticated bool
	// AllowedOrigins are the values of Origin that are let in, besides none;
	// AllowedHosts those of Host, besides the address that is listened on and,
	// for a loopback one, localhost.
	AllowedOrigins []string
	AllowedHosts   []string
	// TLSCert and TLSKey are PEM files, read again when they change. Both or
	// neither are set.
	TLSCert, TLSKey string
	// MaxBody bounds a request, MaxHeader its header, in bytes.
	MaxBody, MaxHeader int64
	// HeaderTimeout and BodyTimeout bound how long a request may take to
	// arrive, IdleTimeout a connection without one, WriteTimeout how long a
	// client may not take what is written to it.
	HeaderTimeout, BodyTimeout, IdleTimeout, WriteTimeout time.Duration
	// MaxConnections bounds the connections, MaxConnectionsPerAddress those of
	// one address; 0: they are not bounded by address.
	MaxConnections, MaxConnectionsPerAddress int
	// MaxSessions bounds the sessions, MaxPerPrincipal those of one principal;
	// one that is not used for SessionTimeout ends.
	MaxSessions, MaxPerPrincipal int
	SessionTimeout               time.Duration
	// DrainTimeout is how long executions may go on after the order to end.
	// Negative: not at all.
	DrainTimeout time.Duration
	Tokens       []Token
	// JWT is nil where no issuer is trusted.
	JWT *JWT
}

// Token is a bearer token and whose it is.
type Token struct {
	Principal string
	Token     string
}

// JWT says which tokens of an issuer are taken.
type JWT struct {
	Issuer, Audience string
	// KeysURL or KeysFile is where the issuer's JSON Web Key Set is; one of
	// them is set. A file is read again when it changes.
	KeysURL, KeysFile string
	// PrincipalClaim is the claim that names the principal.
	PrincipalClaim string
	// Leeway is how far clocks may differ. Negative: not at all.
	Leeway time.Duration
}

// minToken is the shortest bearer token, in bytes, that is no invitation.
const minToken = 16

func (d *decoder) http(s httpSection) HTTP {
	h := HTTP{
		Listen: s.Listen, Path: orDefault(s.Path, "/mcp"), AllowUnauthenticated: s.Insecure,
		AllowedOrigins: s.AllowedOrigins, AllowedHosts: s.AllowedHosts, TLSCert: s.TLSCert, TLSKey: s.TLSKey,
		MaxBody: orDefault(s.MaxBody, 4<<20), MaxHeader: orDefault(s.MaxHeader, 64<<10),
		HeaderTimeout: orDefault(s.HeaderTimeout, 10*time.Second), BodyTimeout: orDefault(s.BodyTimeout, 30*time.Second),
		IdleTimeout: orDefault(s.IdleTimeout, 2*time.Minute), WriteTimeout: orDefault(s.WriteTimeout, 30*time.Second),
		MaxConnections: orDefault(s.MaxConnections, 4096), MaxConnectionsPerAddress: max(s.MaxPerAddress, 0),
		MaxSessions: orDefault(s.MaxSessions, 1024), MaxPerPrincipal: orDefault(s.MaxPerPrincipal, 256),
		SessionTimeout: orDefault(s.SessionTimeout, 30*time.Minute), DrainTimeout: orDefault(s.DrainTimeout, 30*time.Second),
	}
	if h.MaxPerPrincipal > h.MaxSessions {
		if s.MaxPerPrincipal != 0 {
			d.errorf("http.max_sessions_per_principal", "is %d, more than max_sessions, which is %d", h.MaxPerPrincipal, h.MaxSessions)
		}
		h.MaxPerPrincipal = h.MaxSessions
	}
	if !strings.HasPrefix(h.Path, "/") {
		d.errorf("http.path", "is %q: it must begin with /", h.Path)
	}
	if (h.TLSCert == "") != (h.TLSKey == "") {
		d.errorf("http", "tls_cert and tls_key need each other: one of them is missing")
	}
	if h.TLSCert != "" {
		h.TLSCert, h.TLSKey = d.relative(h.TLSCert), d.relative(h.TLSKey)
	}
	for i, o := range h.AllowedOrigins {
		if problem := isURL(o); problem != "" || strings.Count(o, "/") != 2 {
			d.errorf(index("http.allowed_origins", i), `is %q: an origin is a scheme and a host, such as "https://app.example.org"`, o)
		}
	}
	h.Tokens = d.tokens(s.Token)
	h.JWT = d.jwt(s.JWT)
	d.listen(h)
	return h
}

func (d *decoder) listen(h HTTP) {
	if h.Listen == "" || d.raw {
		return
	}
	host, problem := hostPort(h.Listen)
	switch {
	case problem != "":
		d.errorf("http.listen", "%s", problem)
	case !loopback(host) && len(h.Tokens) == 0 && h.JWT == nil && !h.AllowUnauthenticated:
		d.errorf("http.listen", "is %q, which others can reach, and nobody has to say who he is: add [[http.token]] or [http.jwt], "+
			"listen on 127.0.0.1, or write allow_unauthenticated = true", h.Listen)
	}
}

func (d *decoder) tokens(sections []tokenSection) []Token {
	var out []Token
	seen := map[string]bool{}
	for i, t := range sections {
		path := index("http.token", i)
		switch {
		case t.Principal == "":
			d.errorf(path, "principal is missing: it says whose token this is")
		case t.Token == "" && !d.failed(path+".token"):
			d.errorf(path, "token is missing")
		case seen[t.Token]:
			d.errorf(path+".token", "is that of another principal too: each needs one of its own")
		case len(t.Token) < minToken && !d.failed(path+".token"):
			d.errorf(path+".token", "has %d bytes: one that cannot be guessed has %d or more", len(t.Token), minToken)
		case strings.ContainsAny(t.Token, " \t\r\n"):
			d.errorf(path+".token", "has white space in it, which no client can send")
		}
		seen[t.Token] = true
		d.addSecret(t.Token)
		out = append(out, Token(t))
	}
	return out
}

// failed reports whether an error about the key has been noted already.
func (d *decoder) failed(path string) bool {
	for _, e := range d.errs {
		if e.Key == path {
			return true
		}
	}
	return false
}

func (d *decoder) jwt(s jwtSection) *JWT {
	if s == (jwtSection{}) {
		return nil
	}
	for _, must := range []struct{ key, value, why string }{
		{"issuer", s.Issuer, "it says whose tokens are taken"},
		{"audience", s.Audience, "without it tokens for other services would be taken"},
	} {
		if must.value == "" && !d.failed("http.jwt."+must.key) {
			d.errorf("http.jwt", "%s is missing: %s", must.key, must.why)
		}
	}
	switch {
	case (s.KeysURL == "") == (s.KeysFile == ""):
		d.errorf("http.jwt", "there must be keys_url or keys_file, and not both: the issuer's JSON Web Key Set")
	case s.KeysURL != "" && !d.raw:
		problem := isURL(s.KeysURL)
		if problem == "" && strings.HasPrefix(s.KeysURL, "http:") && !loopbackURL(s.KeysURL) {
			problem = "is not https: whoever sits on the way could put in keys of his own"
		}
		if problem != "" {
			d.errorf("http.jwt.keys_url", "%s", problem)
		}
	}
	j := &JWT{
		Issuer: s.Issuer, Audience: s.Audience, KeysURL: s.KeysURL, KeysFile: s.KeysFile,
		PrincipalClaim: orDefault(s.PrincipalClaim, "sub"), Leeway: orDefault(s.Leeway, time.Minute),
	}
	if j.KeysFile != "" {
		j.KeysFile = d.relative(j.KeysFile)
	}
	return j
}
