package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// Token is a bearer token, and whose it is. A principal may have several.
type Token struct {
	Principal, Token string
}

// JWTConfig says which JSON Web Tokens are taken. Issuer and Audience must be
// set, and one of KeysURL and KeysFile.
type JWTConfig struct {
	// Issuer and Audience are what the claims iss and aud must say.
	Issuer, Audience string
	// KeysURL is where the issuer's JSON Web Key Set is. It is fetched again
	// every hour, and when a token names a key that is not in it, at most every
	// 30 s. That it cannot be had is no error of the start: until it can, no
	// token is taken.
	KeysURL string
	// KeysFile is a file with the key set, in place of KeysURL. It is read again
	// when it changes; while it cannot be read the keys stay as they were.
	KeysFile string
	// PrincipalClaim is the claim that names the principal. Default "sub".
	PrincipalClaim string
	// Leeway is how far the clocks may differ. Default 1 min; negative means
	// not at all.
	Leeway time.Duration
}

// identity is who sent a request.
type identity struct {
	principal string
	expires   time.Time // zero: never
	body      *hold     // on the body of the request
}

// anonymous is whoever sends a request where nobody has to say who he is.
var anonymous = identity{principal: "local"}

type identityKey struct{}

func principalOf(ctx context.Context) string {
	id, _ := ctx.Value(identityKey{}).(identity)
	return id.principal
}

// maxPrincipal is how long the name of a principal may be, in bytes.
const maxPrincipal = 256

// authenticator knows bearer tokens.
type authenticator struct {
	tokens []knownToken
	jwt    *jwtVerifier // nil: there is no issuer
}

// knownToken is a token as a digest: all have one length, so that comparing
// them says nothing of how long they are.
type knownToken struct {
	digest    [sha256.Size]byte
	principal string
}

// newAuthenticator returns nil where neither tokens nor an issuer are
// configured. Refreshing the keys of an issuer ends with ctx.
func newAuthenticator(ctx context.Context, tokens []Token, cfg *JWTConfig, log *slog.Logger) (*authenticator, error) {
	if len(tokens) == 0 && cfg == nil {
		return nil, nil
	}
	a := &authenticator{}
	for i, t := range tokens {
		if t.Principal == "" || len(t.Principal) > maxPrincipal || len(t.Token) < 16 || strings.ContainsAny(t.Token, " \t\r\n") {
			//lint:ignore ST1005 it follows "HTTPConfig."
			return nil, fmt.Errorf("Tokens[%d]: it must have a principal of at most %d bytes, and a token of at least 16 without white space", i, maxPrincipal)
		}
		a.tokens = append(a.tokens, knownToken{sha256.Sum256([]byte(t.Token)), t.Principal})
	}
	if cfg != nil {
		var err error
		if a.jwt, err = newJWTVerifier(ctx, *cfg, log); err != nil {
			return nil, fmt.Errorf("JWT: %w", err)
		}
	}
	return a, nil
}

// check returns whose token this is. The error is for the log, not for who
// sent it.
func (a *authenticator) check(ctx context.Context, token string) (identity, error) {
	digest := sha256.Sum256([]byte(token))
	var found *knownToken
	for i := range a.tokens { // all of them, whichever it is
		if subtle.ConstantTimeCompare(digest[:], a.tokens[i].digest[:]) == 1 {
			found = &a.tokens[i]
		}
	}
	switch {
	case found != nil:
		return identity{principal: found.principal}, nil
	case a.jwt != nil:
		return a.jwt.verify(ctx, token)
	}
	return identity{}, errors.New("the token is not known")
}

// bearer returns the token of a request, or "" where there is none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// jwtVerifier verifies JSON Web Tokens.
type jwtVerifier struct {
	keys   func() keyfunc.Keyfunc
	parser *jwt.Parser
	claim  string
	leeway time.Duration
}

// asymmetric are the algorithms that are taken: with any other, who can verify
// a token can make one, or anybody can.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

const (
	keysTimeout = 10 * time.Second
	maxKeys     = 1 << 20 // bytes of a key set
)

func newJWTVerifier(ctx context.Context, cfg JWTConfig, log *slog.Logger) (*jwtVerifier, error) {
	if cfg.Issuer == "" || cfg.Audience == "" || (cfg.KeysURL == "") == (cfg.KeysFile == "") {
		return nil, errors.New("it must have an issuer, an audience, and either the URL or the file of a key set")
	}
	setDefault(&cfg.PrincipalClaim, "sub")
	setDefault(&cfg.Leeway, time.Minute)
	v := &jwtVerifier{claim: cfg.PrincipalClaim, leeway: max(cfg.Leeway, 0)}
	v.parser = jwt.NewParser(
		jwt.WithValidMethods(asymmetric), jwt.WithIssuer(cfg.Issuer), jwt.WithAudience(cfg.Audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(v.leeway),
	)
	var err error
	if cfg.KeysFile != "" {
		var file *reloaded[keyfunc.Keyfunc]
		file, err = reload("key set", func() (keyfunc.Keyfunc, error) { return keysFromFile(cfg.KeysFile) }, log, cfg.KeysFile)
		v.keys = file.get
	} else {
		var keys keyfunc.Keyfunc
		keys, err = keysFromURL(ctx, cfg.KeysURL, log)
		v.keys = func() keyfunc.Keyfunc { return keys }
	}
	if err != nil {
		return nil, fmt.Errorf("the key set: %w", err)
	}
	return v, nil
}

func keysFromFile(path string) (keyfunc.Keyfunc, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	switch {
	case err != nil:
		return nil, err
	case len(raw) > maxKeys:
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxKeys)
	}
	keys, err := keyfunc.NewJWKSetJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	all, err := keys.Storage().KeyReadAll(context.Background())
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no keys in it", path)
	}
	return keys, nil
}

func keysFromURL(ctx context.Context, url string, log *slog.Logger) (keyfunc.Keyfunc, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // it is needed once an hour
	store, err := jwkset.NewStorageFromHTTP(url, jwkset.HTTPClientStorageOptions{
		Client: &http.Client{
			Transport: bounded{transport},
			// A key set is where it was configured to be, or nowhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Ctx: ctx, HTTPTimeout: keysTimeout, NoErrorReturnFirstHTTPReq: true, RefreshInterval: time.Hour,
		RefreshErrorHandler: func(_ context.Context, err error) {
			log.Error("the key set of the issuer could not be fetched: tokens whose key is not known are refused", "url", url, "err", err)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", url, err)
	}
	client, err := jwkset.NewHTTPClient(jwkset.HTTPClientOptions{
		HTTPURLs:          map[string]jwkset.Storage{url: store},
		RefreshUnknownKID: rate.NewLimiter(rate.Every(30*time.Second), 1),
		// Also of the fetch itself. Who would have to wait longer is refused.
		RateLimitWaitMax: keysTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("keeping the keys of %s: %w", url, err)
	}
	return keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: client})
}

// bounded is a transport whose answers are not longer than a key set may be.
type bounded struct{ under http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.under.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxKeys)
	}
	return res, err
}

func (v *jwtVerifier) verify(ctx context.Context, token string) (identity, error) {
	// Fetching the keys again is for all: who asked for it and has gone must not
	// have used up the time until the next one may.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	claims := jwt.MapClaims{}
	if _, err := v.parser.ParseWithClaims(token, claims, v.keys().KeyfuncCtx(ctx)); err != nil {
		return identity{}, err
	}
	name, ok := claims[v.claim].(string)
	if !ok || name == "" || len(name) > maxPrincipal {
		return identity{}, fmt.Errorf("the claim %s names no principal: it must be a text of 1 to %d bytes", v.claim, maxPrincipal)
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return identity{}, errors.New("the token has no time at which it expires")
	}
	return identity{principal: name, expires: exp.Add(v.leeway)}, nil
}
