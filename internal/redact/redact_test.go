package redact_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/redact"
)

// encodings are the forms in which a secret must not survive. Each leaves what
// is around it readable.
var encodings = []struct {
	name   string
	encode func(string) string
}{
	{"as it is", func(s string) string { return s }},
	{"upper case", asciiUpper},
	{"hex", func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{"HEX", func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }},
	{"hex with spaces", func(s string) string { return fmt.Sprintf("% x", s) }},
	{"hex with colons", func(s string) string { return strings.ReplaceAll(fmt.Sprintf("% X", s), " ", ":") }},
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64 behind one", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("u" + s)) }},
	{"base64 behind two", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("u:" + s + "\n")) }},
	{"base64 within", func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte("user:" + s + ", a")) }},
	{"base64url", func(s string) string { return base64.URLEncoding.EncodeToString([]byte("??>" + s)) }},
	{"base64url raw", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("~~" + s + "~")) }},
	{"query", url.QueryEscape},
	{"path", url.PathEscape},
	{"all percent", func(s string) string { return each(s, "%%%02x") }},
	{"all percent twice", func(s string) string { return url.QueryEscape(each(s, "%%%02X")) }},
	{"html", html.EscapeString},
	{"all entities", func(s string) string { return eachRune(s, "&#x%x;") }},
	{"decimal entities", func(s string) string { return eachRune(s, "&#%d;") }},
	{"JSON", func(s string) string { b, _ := json.Marshal(s); return strings.Trim(string(b), `"`) }},
	{"JSON twice", func(s string) string {
		b, _ := json.Marshal(s)
		b, _ = json.Marshal(strings.Trim(string(b), `"`))
		return strings.Trim(string(b), `"`)
	}},
	{"all escaped", func(s string) string { return eachRune(s, `\u%04x`) }},
	{"bytes escaped", func(s string) string { return each(s, `\x%02x`) }},
	{"octal", func(s string) string { return each(s, `\%03o`) }},
	{"braces", func(s string) string { return eachRune(s, `\u{%x}`) }},
	{"quoted by Go", strconv.QuoteToASCII},
	{"percent of base64", func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) }},
	{"wrapped base64", func(s string) string {
		return wrap(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 50)+s+"yy")), 76, "\r\n")
	}},
	{"wrapped base64 in JSON", func(s string) string {
		return wrap(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 50)+s+"yy")), 64, `\n`)
	}},
}

func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

func each(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// eachRune is for secrets of the basic plane.
func eachRune(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

func wrap(s string, width int, with string) string {
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + with)
		s = s[width:]
	}
	return b.String() + s
}

var secrets = []string{
	"kT9vqz", "correct horse battery", `quo"te\d/>?&<~`, "пароль-Ω-9", "0123456789abcdef", "20260304123045", "p%41ss+word=/", "ghs_short-one",
	"tab\tand\nline-7", "AAAAAAAAAAAAAAAAAAAAB", "a=b&c;d", "x_x_x_x_",
	randomText(5, 40), randomText(6, 200),
}

func TestEncodings(t *testing.T) {
	r := newRedactor(t, redact.Config{Secrets: secrets})
	if s := r.Skipped(); len(s) != 0 {
		t.Fatalf("skipped: %q", s)
	}
	for _, secret := range secrets {
		for _, enc := range encodings {
			t.Run(enc.name+"/"+strconv.Quote(secret)[:7], func(t *testing.T) {
				text := enc.encode(secret)
				checkGone(t, r.Text("it said ("+text+") and failed"), text, "it said (", ") and failed")
				checkGone(t, r.DataText("("+text+")"), text, "(", ")")
				for _, escape := range []func(string) string{jsonQuote, jsonASCII} {
					value := escape("it said (" + text + ") here")
					raw := json.RawMessage(`{"ok":true,"list":[1,` + value + `],` + value + `:null}`)
					out := r.JSON(raw)
					if !json.Valid(out) {
						t.Fatalf("%s\nbecame invalid:\n%s", raw, out)
					}
					var got map[string]any
					if err := json.Unmarshal(out, &got); err != nil {
						t.Fatal(err)
					}
					checkGone(t, got["list"].([]any)[1].(string), text, "it said (", ") here")
					delete(got, "ok")
					delete(got, "list")
					for key := range got {
						checkGone(t, key, text, "it said (", ") here")
					}
				}
			})
		}
	}
}

func jsonQuote(s string) string { b, _ := json.Marshal(s); return string(b) }

// jsonASCII writes JSON strings as some servers do.
func jsonASCII(s string) string {
	var b strings.Builder
	for _, c := range jsonQuote(s) {
		switch {
		case c == '/':
			b.WriteString(`\/`)
		case c < 0x80:
			b.WriteRune(c)
		default:
			fmt.Fprintf(&b, `\u%04X`, c)
		}
	}
	return b.String()
}

// checkGone wants a mark between before and after, and nothing of more than a
// few bytes of the text left.
func checkGone(t *testing.T, got, text, before, after string) {
	t.Helper()
	if !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) {
		t.Errorf("%q took too much", got)
		return
	}
	if !strings.Contains(got, "[redacted") {
		t.Errorf("%q is as it was", got)
	}
	// The base64 of what stood in front of the secret may be left.
	text = strings.TrimLeft(text, "eHh4\\nr\r\n")
	for i := 0; i+12 <= len(text); i++ {
		if part := text[i : i+12]; strings.Contains(got, part) {
			t.Errorf("%q has %q", got, part)
			return
		}
	}
}

func TestShapes(t *testing.T) {
	r := newRedactor(t, redact.Config{})
	seed := uint64(1)
	tail := func(chars string, n int) string {
		for {
			seed++
			b := []byte(randomText(seed, n))
			digit, letter := false, false
			for i, c := range b {
				if !strings.ContainsRune(chars, rune(c)) {
					b[i] = chars[int(c)%len(chars)]
				}
				digit = digit || b[i] >= '0' && b[i] <= '9'
				letter = letter || b[i] >= 'A'
			}
			if digit && letter {
				return string(b)
			}
		}
	}
	for _, example := range redact.Shapes(tail) {
		raw := json.RawMessage(jsonQuote("use \n" + example + " now"))
		for what, out := range map[string]string{"data": string(r.JSON(raw)), "a message": r.Text("use \n" + example + " now")} {
			if strings.Contains(out, example) || !strings.Contains(out, "[redacted ") || !strings.Contains(out, "use ") || !strings.Contains(out, " now") {
				t.Errorf("%s in %s is %q", example, what, out)
			}
		}
	}
}

func TestData(t *testing.T) {
	r := newRedactor(t, redact.Config{Secrets: []string{"Sesame-42", "4711471147"}, Patterns: []string{`ACME-[0-9]{4}`, `(?i)\bcode [a-z]{3}[0-9]{3}\b`, `§[0-9]+`}})
	for _, tt := range []struct{ name, in, want string }{
		{"paths stay", `{"files":["/home/alice/a.txt","C:\\Users\\alice\\b.txt"]}`, ""},
		{"addresses stay", `["10.0.0.7","db.internal"]`, ""},
		{"traces stay", `"Error: x\n    at f (/a/b.js:1:2)"`, ""},
		{"cursors stay", `{"next_token":"CAUQAA123456","token":"abcdef123456","password":"x1234567"}`, ""},
		{"code stays", `"const token = process.env.TOKEN; fetch(u + '?api_key=' + key, {headers: {Authorization: 'Bearer ' + t}})"`, ""},
		{"documentation stays", `"Authorization: Bearer <token>, ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, Basic authentication"`, ""},
		{"signed links stay", `"https://b.s3.amazonaws.com/k?X-Amz-Signature=0123456789abcdef0123456789abcdef&X-Amz-Expires=60"`, ""},
		{"masked stays", `"sk-...abcd postgres://user:@host user@example.com mailto:a@b.c https://host/a@b"`, ""},
		{"secret", `{"a":"Sesame-42","b":1}`, `{"a":"[redacted secret]","b":1}`},
		{"secret in a key", `{"Sesame-42":{}}`, `{"[redacted secret]":{}}`},
		{"secret in an escape", `"\u0053esame\u002d42"`, `"[redacted secret]"`},
		{"bytes around it stay", `{ "a" : "\u00e9\/\n Sesame-42 \ud83d\ude00\ud800" , "b" : 1.50e+1 }`, `{ "a" : "\u00e9\/\n [redacted secret] \ud83d\ude00\ud800" , "b" : 1.50e+1 }`},
		{"number", `{"id":4711471147,"n":[47114711470,-4711471147]}`, `{"id":"[redacted secret]","n":["[redacted secret]","[redacted secret]"]}`},
		{"pattern", `["ACME-1234","acme-1234","Code Abc123","\u0041CME-1234"]`, `["[redacted]","acme-1234","[redacted]","[redacted]"]`},
		{"pattern without a literal", `"see §12"`, `"see [redacted]"`},
		{"address with a password", `"postgres://app:pw1@10.0.0.7/db"`, `"postgres://app:[redacted password]@10.0.0.7/db"`},
		{"password with an at sign", `"amqp://app:p@ss@host"`, `"amqp://app:[redacted password]@host"`},
		{"query", `"https://api.acme.dev/?api_key=abcdefgh1&page=2"`, `"https://api.acme.dev/?api_key=[redacted credential]&page=2"`},
		{"bearer", `"Authorization: Bearer abcdefgh12345678"`, `"Authorization: Bearer [redacted authorization]"`},
		{"basic", `"-H 'authorization: basic YWRtaW46czNjcjN0LXBhc3M='"`, `"-H 'authorization: basic [redacted authorization]'"`},
		{"behind an escape", `"a\nghp_` + randomText(1, 36) + `\tb"`, `"a\n[redacted GitHub token]\tb"`},
		{"behind a letter's escape", `"\u00e9ghp_` + randomText(1, 36) + `"`, `"\u00e9[redacted GitHub token]"`},
		{"JSON in JSON in JSON", `"{\"a\":\"{\\\"b\\\":\\\"\\\\u0053esame-42\\\"}\"}"`, `"{\"a\":\"{\\\"b\\\":\\\"[redacted secret]\\\"}\"}"`},
		{"not JSON", `{"a":"Sesame-42`, `{"a":"[redacted secret]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := json.RawMessage(tt.in)
			out := r.JSON(in)
			if tt.want == "" {
				if string(out) != tt.in || &out[0] != &in[0] {
					t.Errorf("%s\nbecame\n%s", in, out)
				}
				return
			}
			if string(out) != tt.want {
				t.Errorf("got  %s\nwant %s", out, tt.want)
			}
			if string(in) != tt.in {
				t.Errorf("the argument was changed to %s", in)
			}
		})
	}
}

// TestSplit shows what is out of reach, so that the documentation is right.
func TestSplit(t *testing.T) {
	r := newRedactor(t, redact.Config{Secrets: []string{"Sesame-42"}})
	for _, in := range []string{`["Sesa","me-42"]`, `{"Sesame":"-42"}`, `"24-emaseS"`, `"S e s a m e - 4 2"`} {
		if out := r.JSON(json.RawMessage(in)); string(out) != in {
			t.Errorf("%s became %s", in, out)
		}
	}
}

func TestClasses(t *testing.T) {
	text := "open /srv/a/b.txt on 10.0.0.7 with Bearer abcdefgh12345678\n\tat com.acme.Main.main(Main.java:12)\nSesame-42"
	for _, tt := range []struct {
		name string
		cfg  redact.Config
		want string
	}{
		{"all", redact.Config{}, "open [path]/b.txt on [private address] with Bearer [redacted bearer token]\n[stack trace]\n[redacted secret]"},
		{"no credentials", redact.Config{Off: redact.Credentials}, "open [path]/b.txt on [private address] with Bearer abcdefgh12345678\n[stack trace]\n[redacted secret]"},
		{"paths stay", redact.Config{Off: redact.HostPaths}, "open /srv/a/b.txt on [private address] with Bearer [redacted bearer token]\n[stack trace]\n[redacted secret]"},
		{"addresses stay", redact.Config{Off: redact.PrivateAddresses}, "open [path]/b.txt on 10.0.0.7 with Bearer [redacted bearer token]\n[stack trace]\n[redacted secret]"},
		{"traces stay", redact.Config{Off: redact.StackTraces}, "open [path]/b.txt on [private address] with Bearer [redacted bearer token]\n\tat com.acme.Main.main(Main.java:12)\n[redacted secret]"},
	} {
		tt.cfg.Secrets = []string{"Sesame-42"}
		r := newRedactor(t, tt.cfg)
		if got := r.Text(text); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		if got, want := string(r.MessageJSON(json.RawMessage(jsonQuote(text)))), jsonQuote(tt.want); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
		}
	}
	r := newRedactor(t, redact.Config{DataAlso: redact.HostPaths | redact.PrivateAddresses | redact.StackTraces, Off: redact.Credentials})
	if got, want := r.DataText(text), "open [path]/b.txt on [private address] with Bearer abcdefgh12345678\n[stack trace]\nSesame-42"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSecretsOfASecret wants the parts of what is configured to be found too.
func TestSecretsOfASecret(t *testing.T) {
	r := newRedactor(t, redact.Config{Secrets: []string{
		"postgres://app:kT9_vq%40zW@db.example.com/x", "https://tok3n-of-mine@git.example.com/", "Bearer b3arer-of-mine", "Basic " + base64.StdEncoding.EncodeToString([]byte("me:b4sic-pw")),
		" padded-value\n", "-----BEGIN KEY-----\n" + randomText(9, 64) + "\n" + randomText(10, 64) + "\n-----END KEY-----",
	}})
	for _, part := range []string{"kT9_vq%40zW", "kT9_vq@zW", "tok3n-of-mine", "b3arer-of-mine", "b4sic-pw", "padded-value", randomText(10, 64)} {
		if got := r.DataText("x " + part + " y"); got != "x [redacted secret] y" {
			t.Errorf("%q became %q", part, got)
		}
	}
}

func TestSkipped(t *testing.T) {
	skipped := []string{"abc", "", "  12345 ", "true", "production", "LocalHost", "xxxxxxxxxx", "543210", "/home/alice/projects", `C:\work`, "https://api.example.com/", "secret]", "Redacted"}
	r := newRedactor(t, redact.Config{Secrets: append(skipped, "but-this-1")})
	got := r.Skipped()
	if len(got) != len(skipped) {
		t.Fatalf("%d of %d: %q", len(got), len(skipped), got)
	}
	for i, s := range got {
		if !strings.HasPrefix(s, fmt.Sprintf("Secrets[%d] ", i)) {
			t.Errorf("%q", s)
		}
		if v := strings.TrimSpace(skipped[i]); len(v) > 5 && v != "secret]" && strings.Contains(s, v) {
			t.Errorf("%q has the value", s)
		}
	}
	if got := r.Text("production true but-this-1"); got != "production true [redacted secret]" {
		t.Error(got)
	}
}

func TestNewErrors(t *testing.T) {
	for _, tt := range []struct {
		cfg  redact.Config
		want string
	}{
		{redact.Config{Patterns: []string{"ok1", "("}}, "redact: Config.Patterns[1] is no regular expression: "},
		{redact.Config{Patterns: []string{"a*"}}, "Config.Patterns[0] matches the empty text"},
		{redact.Config{Patterns: []string{"[a-z]{3}"}}, `Config.Patterns[0] matches "[redacted secret]"`},
		{redact.Config{Off: 1 << 6}, "unknown class 0x40"},
		{redact.Config{Off: redact.HostPaths, DataAlso: redact.HostPaths}, "the same class 0x2"},
	} {
		if _, err := redact.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.cfg, err, tt.want)
		}
	}
	r := newRedactor(t, redact.Config{Patterns: []string{`ACME-[0-9]+`, `[0-9]{3}-[0-9]{3}`, `(?i)\bksks[0-9]`, `(?:ab|cd)[0-9]`}})
	if got := r.Slow(); len(got) != 3 || !strings.HasPrefix(got[0], "Patterns[1] ") || !strings.HasPrefix(got[1], "Patterns[2] ") {
		t.Errorf("slow: %q", got)
	}
}

// TestConfigIsCopied changes a configuration after use.
func TestConfigIsCopied(t *testing.T) {
	cfg := redact.Config{Secrets: []string{"Sesame-42"}}
	r := newRedactor(t, cfg)
	cfg.Secrets[0] = "something"
	if got := r.Text("Sesame-42"); got != "[redacted secret]" {
		t.Error(got)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	r := newRedactor(t, redact.Config{Secrets: tenSecrets()})
	for name, raw := range map[string]json.RawMessage{"structured": structured(1 << 10), "nested": nested(1 << 10), "empty": {}, "nil": nil} {
		if n := testing.AllocsPerRun(100, func() { r.JSON(raw) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
