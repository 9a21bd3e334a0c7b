package gateway_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/autoclave-run/autoclave/internal/gateway"
)

// replace writes a file as those do that rotate certificates: in one step.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// A certificate that is renewed is used without a restart; one that cannot be
// read leaves the old one in place.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	inPEM := func(c tls.Certificate) (cert, key []byte) {
		der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	first, second := selfSigned(t), selfSigned(t)
	firstCert, firstKey := inPEM(first)
	secondCert, secondKey := inPEM(second)
	replace(t, cert, firstCert)
	replace(t, key, firstKey)
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{TLSCert: cert, TLSKey: key}})
	shown := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", w.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return string(c.ConnectionState().PeerCertificates[0].Raw)
	}
	if shown() != string(first.Certificate[0]) {
		t.Fatal("it is not the certificate of the file")
	}
	replace(t, cert, secondCert) // whose key is not there yet
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if shown() != string(first.Certificate[0]) {
			t.Fatal("half of a new certificate is used")
		}
	}
	replace(t, key, secondKey)
	eventually(t, "the new certificate", func() bool { return shown() == string(second.Certificate[0]) })
	for _, path := range []string{cert, key} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if shown() != string(second.Certificate[0]) {
			t.Fatal("it is not the certificate that was there last")
		}
	}
}

// Keys that the issuer has changed are taken from the file without a restart,
// and those that are no longer in it are refused.
func TestKeysFileIsReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	keys := map[string]*rsa.PrivateKey{}
	for _, kid := range []string{"old", "new"} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		keys[kid] = k
	}
	replace(t, path, []byte(keySet(rsaJWK("old", &keys["old"].PublicKey))))
	w := newWeb(t, webSetup{http: gateway.HTTPConfig{JWT: &gateway.JWTConfig{Issuer: "i", Audience: "a", KeysFile: path}}})
	status := func(kid string) int {
		t.Helper()
		tok := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": "i", "aud": "a", "sub": "carol", "exp": time.Now().Add(time.Hour).Unix()})
		tok.Header["kid"] = kid
		signed, err := tok.SignedString(keys[kid])
		if err != nil {
			t.Fatal(err)
		}
		res, _ := w.do(raw{token: signed, method: http.MethodGet})
		return res.StatusCode
	}
	if old, next := status("old"), status("new"); old != 400 || next != 401 {
		t.Fatalf("%d and %d", old, next)
	}
	replace(t, path, []byte(keySet(rsaJWK("new", &keys["new"].PublicKey))))
	eventually(t, "the new key to be taken", func() bool { return status("new") == 400 })
	if got := status("old"); got != 401 {
		t.Errorf("a key that is not there any more: %d", got)
	}
	for _, bad := range []string{"{", keySet(), strings.Repeat(" ", 2<<20)} {
		replace(t, path, []byte(bad))
		for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if got := status("new"); got != 400 {
				t.Fatalf("%.10q in the file: %d", bad, got)
			}
		}
	}
}
