package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/autoclave-run/autoclave/internal/gateway"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaJWK(kid string, k *rsa.PublicKey) map[string]any {
	return map[string]any{"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func keySet(keys ...map[string]any) string {
	raw, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func TestBearerTokens(t *testing.T) {
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: append(twoTokens, gateway.Token{Principal: "alice", Token: "alice-has-a-second-one"})}})
	for _, c := range []struct {
		name, authorization string
		want                int
	}{
		{"none", "", 401},
		{"alice's", "Bearer " + aliceToken, 200},
		{"alice's second", "Bearer alice-has-a-second-one", 200},
		{"in lower case", "bearer " + bobToken, 200},
		{"too short by one", "Bearer " + aliceToken[:len(aliceToken)-1], 401},
		{"too long by one", "Bearer " + aliceToken + "x", 401},
		{"empty", "Bearer ", 401},
		{"two", "Bearer " + aliceToken + " " + bobToken, 401},
		{"not as a bearer", "Basic " + aliceToken, 401},
		{"very long", "Bearer " + strings.Repeat("a", 10000), 401},
	} {
		header := map[string]string{}
		if c.authorization != "" {
			header["Authorization"] = c.authorization
		}
		res, body := w.do(raw{body: initialize, header: header})
		if res.StatusCode != c.want {
			t.Errorf("%s: %s %s", c.name, res.Status, body)
		}
		challenge := res.Header.Get("WWW-Authenticate")
		if (c.want == 401) != strings.HasPrefix(challenge, "Bearer ") {
			t.Errorf("%s: the challenge is %q", c.name, challenge)
		}
		if invalid := strings.Contains(challenge, "invalid_token"); invalid != (c.want == 401 && strings.HasPrefix(c.authorization, "Bearer ") && c.name != "empty") {
			t.Errorf("%s: the challenge is %q", c.name, challenge)
		}
		if strings.Contains(body, aliceToken) {
			t.Errorf("%s: the answer has a token in it: %s", c.name, body)
		}
	}
	// Who cannot say who he is does not get to know whether a session is there,
	// nor has his body read.
	if res, _ := w.do(raw{session: w.open(aliceToken), body: execution("return 1")}); res.StatusCode != 401 {
		t.Error(res.Status)
	}
}

func TestJWT(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := curve.PublicKey.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	xy := point.Bytes()[1:]
	ec := map[string]any{"kty": "EC", "kid": "e1", "crv": "P-256", "x": b64(xy[:32]), "y": b64(xy[32:])}
	// A shared secret among the keys must not make HS256 tokens good.
	oct := map[string]any{"kty": "oct", "kid": "o1", "alg": "HS256", "k": b64([]byte("a-shared-secret-of-32-bytes-long"))}
	var fetched atomic.Int32
	var keys atomic.Value
	keys.Store(keySet(rsaJWK("r1", &key.PublicKey), ec, oct))
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		fmt.Fprint(w, keys.Load())
	}))
	t.Cleanup(issuer.Close)

	const iss, aud = "https://login.example.org", "autoclave"
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"iss": iss, "aud": aud, "sub": "carol", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
		if change != nil {
			change(c)
		}
		return c
	}
	sign := func(method jwt.SigningMethod, kid string, with any, c jwt.MapClaims) string {
		tok := jwt.NewWithClaims(method, c)
		if kid != "" {
			tok.Header["kid"] = kid
		}
		s, err := tok.SignedString(with)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	good := sign(jwt.SigningMethodRS256, "r1", key, claims(nil))
	parts := strings.Split(good, ".")
	tokens := []struct {
		name, token string
		want        int
	}{
		{"good", good, 200},
		{"on a curve", sign(jwt.SigningMethodES256, "e1", curve, claims(nil)), 200},
		{"several audiences", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["aud"] = []string{"x", aud} })), 200},
		{"without the name of its key", sign(jwt.SigningMethodRS256, "", key, claims(nil)), 200},
		{"a static token", aliceToken, 200},
		{"another audience", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["aud"] = "other" })), 401},
		{"no audience", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { delete(c, "aud") })), 401},
		{"another issuer", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["iss"] = iss + "/" })), 401},
		{"expired", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-2 * time.Minute).Unix() })), 401},
		{"expired within the leeway", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-10 * time.Second).Unix() })), 200},
		{"never expires", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { delete(c, "exp") })), 401},
		{"not valid yet", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() })), 401},
		{"no principal", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { delete(c, "sub") })), 401},
		{"an empty principal", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["sub"] = "" })), 401},
		{"a principal that is no text", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["sub"] = 7 })), 401},
		{"a principal without end", sign(jwt.SigningMethodRS256, "r1", key, claims(func(c jwt.MapClaims) { c["sub"] = strings.Repeat("x", 1000) })), 401},
		{"another key", sign(jwt.SigningMethodRS256, "r1", other, claims(nil)), 401},
		{"a key that is not known", sign(jwt.SigningMethodRS256, "r2", other, claims(nil)), 401},
		{"another algorithm of the key", sign(jwt.SigningMethodRS512, "r1", key, claims(nil)), 401},
		{"unsigned", sign(jwt.SigningMethodNone, "r1", jwt.UnsafeAllowNoneSignatureType, claims(nil)), 401},
		{"the public key as a secret", sign(jwt.SigningMethodHS256, "r1", spki, claims(nil)), 401},
		{"a shared secret", sign(jwt.SigningMethodHS256, "o1", []byte("a-shared-secret-of-32-bytes-long"), claims(nil)), 401},
		{"changed", parts[0] + "." + b64([]byte(`{"iss":"`+iss+`","aud":"autoclave","sub":"root","exp":99999999999}`)) + "." + parts[2], 401},
		{"cut", good[:len(good)-8], 401},
		{"no token at all", "a.b.c", 401},
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(keys.Load().(string)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []gateway.JWTConfig{{KeysURL: issuer.URL}, {KeysFile: file}} {
		from.Issuer, from.Audience = iss, aud
		w := newWeb(t, webSetup{http: gateway.HTTPConfig{Tokens: twoTokens, JWT: &from}})
		for _, c := range tokens {
			if res, body := w.do(raw{token: c.token, body: initialize}); res.StatusCode != c.want {
				t.Errorf("%s: %s %s", c.name, res.Status, body)
			}
		}
		cs := w.connect(good, legacy, nil)
		w.run(cs, `return 1`)
		if got := w.callers[len(w.callers)-1].Principal; got != "carol" {
			t.Errorf("the principal is %q", got)
		}
		// Whoever has no token learns where there are some.
		res, _ := w.do(raw{body: initialize})
		_, where, _ := strings.Cut(res.Header.Get("WWW-Authenticate"), `resource_metadata="`)
		where, _, _ = strings.Cut(where, `"`)
		meta, err := http.Get(where)
		if err != nil {
			t.Fatalf("%q: %v", where, err)
		}
		var said struct {
			Resource string   `json:"resource"`
			Servers  []string `json:"authorization_servers"`
		}
		if err := json.NewDecoder(meta.Body).Decode(&said); err != nil || said.Resource != w.url || len(said.Servers) != 1 || said.Servers[0] != iss {
			t.Errorf("the metadata are %+v %v", said, err)
		}
		meta.Body.Close()
		w.end()
	}
	http.DefaultClient.CloseIdleConnections()
	// Tokens with keys that nobody knows do not make us fetch without end.
	if n := fetched.Load(); n > 3 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// The issuer's keys change, or are not to be had when we start.
func TestJWTKeysLater(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var up atomic.Bool
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, keySet(rsaJWK("r1", &key.PublicKey)))
	}))
	t.Cleanup(issuer.Close)
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{JWT: &gateway.JWTConfig{Issuer: "i", Audience: "a", KeysURL: issuer.URL, PrincipalClaim: "email"}}})
	tok := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": "i", "aud": "a", "email": "carol@example.org", "exp": time.Now().Add(time.Hour).Unix()})
	tok.Header["kid"] = "r1"
	signed, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	up.Store(true)
	if res, body := w.do(raw{token: signed, body: initialize}); res.StatusCode != 200 {
		t.Errorf("%s %s", res.Status, body)
	}
}

// Who makes us fetch the keys and goes does not keep the others from the new
// ones.
func TestJWTKeysFetchedForSomeoneGone(t *testing.T) {
	keys := map[string]*rsa.PrivateKey{}
	for _, kid := range []string{"old", "new", "forged"} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		keys[kid] = k
	}
	var rotated atomic.Bool
	entered, answer := make(chan struct{}, 1), make(chan struct{})
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !rotated.Load() {
			fmt.Fprint(w, keySet(rsaJWK("old", &keys["old"].PublicKey)))
			return
		}
		entered <- struct{}{}
		select {
		case <-answer:
		case <-r.Context().Done():
			return
		}
		fmt.Fprint(w, keySet(rsaJWK("new", &keys["new"].PublicKey)))
	}))
	t.Cleanup(issuer.Close)
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{JWT: &gateway.JWTConfig{Issuer: "i", Audience: "a", KeysURL: issuer.URL}}})
	token := func(kid string) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": "i", "aud": "a", "sub": "carol", "exp": time.Now().Add(time.Hour).Unix()})
		tok.Header["kid"] = kid
		signed, err := tok.SignedString(keys[kid])
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	rotated.Store(true)
	c := w.dial()
	if _, err := io.WriteString(c, "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+token("forged")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	c.Close()
	// As long as it may take to notice that he has gone.
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end) && w.handler.Held().Requests > 0; time.Sleep(time.Millisecond) {
	}
	close(answer)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		res, body := w.do(raw{token: token("new"), method: http.MethodGet})
		if res.StatusCode == 400 { // it is let in, and names no session
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s %s", res.Status, body)
		}
	}
}

func TestHTTPConfig(t *testing.T) {
	w := newWorld(t, setup{})
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	jwtFrom := func(path string) *gateway.JWTConfig {
		return &gateway.JWTConfig{Issuer: "i", Audience: "a", KeysFile: path}
	}
	for _, c := range []struct {
		want string
		cfg  gateway.HTTPConfig
	}{
		{"HTTPConfig.MaxBody is -1", gateway.HTTPConfig{MaxBody: -1}},
		{"HTTPConfig.SessionTimeout is", gateway.HTTPConfig{SessionTimeout: -1}},
		{"HTTPConfig.Path is", gateway.HTTPConfig{Path: "mcp"}},
		{"HTTPConfig.Path is", gateway.HTTPConfig{Path: "/readyz"}},
		{"HTTPConfig.Tokens[0]", gateway.HTTPConfig{Tokens: []gateway.Token{{Principal: "a", Token: "short"}}}},
		{"HTTPConfig.Tokens[0]", gateway.HTTPConfig{Tokens: []gateway.Token{{Token: aliceToken}}}},
		{"HTTPConfig.TLSCert and TLSKey", gateway.HTTPConfig{TLSCert: write("cert.pem", "")}},
		{"HTTPConfig.TLSCert: reading the certificate", gateway.HTTPConfig{TLSCert: write("cert.pem", ""), TLSKey: write("key.pem", "")}},
		{"HTTPConfig.MaxConnectionsPerAddress is -1", gateway.HTTPConfig{MaxConnectionsPerAddress: -1}},
		{"HTTPConfig.JWT: it must have", gateway.HTTPConfig{JWT: &gateway.JWTConfig{}}},
		{"HTTPConfig.JWT: the key set", gateway.HTTPConfig{JWT: jwtFrom(filepath.Join(dir, "none"))}},
		{"no keys", gateway.HTTPConfig{JWT: jwtFrom(write("empty.json", `{"keys":[]}`))}},
		{"HTTPConfig.JWT: the key set", gateway.HTTPConfig{JWT: jwtFrom(write("bad.json", `{"keys":`))}},
		{"more than", gateway.HTTPConfig{JWT: jwtFrom(write("long.json", strings.Repeat(" ", 2<<20)))}},
	} {
		h, err := w.gateway.NewHTTP(c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
		if err == nil {
			h.Close()
		}
	}
}
