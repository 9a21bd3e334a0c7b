package redact_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/redact"
)

// tenSecrets are like what ten servers are configured with.
func tenSecrets() []string {
	secrets := []string{"postgres://app:kT9_vqzWp2mLx@db.example.com:5432/prod", "correct horse battery staple"}
	for i := len(secrets); i < 10; i++ {
		secrets = append(secrets, randomText(uint64(i), 40))
	}
	return secrets
}

// randomText returns n letters and digits that are the same for a seed at all
// times.
func randomText(seed uint64, n int) string {
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		b[i] = chars[seed>>33%uint64(len(chars))]
	}
	return string(b)
}

func issues(n int) []map[string]any {
	var list []map[string]any
	for i := range n {
		list = append(list, map[string]any{
			"number": 1200 + i, "state": "open", "title": "Panic when the configuration has no servers",
			"user": map[string]any{"login": "octocat", "id": 583231}, "html_url": fmt.Sprintf("https://github.com/acme/widgets/issues/%d", 1200+i),
			"labels": []string{"bug", "help wanted"}, "created_at": "2026-03-04T12:30:45Z",
			"body": "It worked yesterday.\nNow the task stops with \"no servers\" after start.",
		})
	}
	return list
}

// structured is a result as JSON, nested is the same as servers mostly send
// it: JSON in the text of a content block.
func structured(size int) json.RawMessage {
	return sized(size, func(n int) any { return map[string]any{"structuredContent": issues(n)} })
}

func nested(size int) json.RawMessage {
	return sized(size, func(n int) any {
		inner, _ := json.Marshal(issues(n))
		return map[string]any{"content": []any{map[string]any{"type": "text", "text": string(inner)}}}
	})
}

func sized(size int, build func(n int) any) json.RawMessage {
	one, _ := json.Marshal(build(3))
	raw, _ := json.Marshal(build(max(1, size*3/len(one))))
	return raw
}

func newRedactor(t testing.TB, cfg redact.Config) *redact.Redactor {
	t.Helper()
	r, err := redact.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func BenchmarkNothing(b *testing.B) {
	r := newRedactor(b, redact.Config{Secrets: tenSecrets()})
	base64Image, _ := json.Marshal(map[string]any{"content": []any{map[string]any{"type": "image", "data": randomText(77, 2<<20)}}})
	percent := json.RawMessage(strings.ReplaceAll(string(structured(1<<10)), "widgets/issues", "widgets%20x/issues"))
	for _, bench := range []struct {
		name string
		raw  json.RawMessage
	}{
		{"1KB", structured(1 << 10)}, {"1KB_nested", nested(1 << 10)}, {"1KB_percent", percent}, {"64KB", structured(64 << 10)},
		{"2MB", structured(2 << 20)}, {"2MB_nested", nested(2 << 20)}, {"2MB_image", base64Image},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.raw)))
			b.ReportAllocs()
			for b.Loop() {
				if out := r.JSON(bench.raw); &out[0] != &bench.raw[0] {
					b.Fatalf("something was redacted: %.3000s", out)
				}
			}
		})
	}
}

func BenchmarkFound(b *testing.B) {
	secrets := tenSecrets()
	r := newRedactor(b, redact.Config{Secrets: secrets})
	with := func(raw json.RawMessage, what string) json.RawMessage {
		return json.RawMessage(strings.Replace(string(raw), "yesterday", what, 1))
	}
	for _, bench := range []struct {
		name string
		raw  json.RawMessage
	}{
		{"1KB", with(structured(1<<10), secrets[4])}, {"1KB_nested", with(nested(1<<10), secrets[4])}, {"2MB", with(structured(2<<20), secrets[4])},
		{"2MB_nested", with(nested(2<<20), secrets[4])}, {"2MB_escaped", with(nested(2<<20), `\u0041\\u0042 %41 &amp;`+secrets[4])},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.raw)))
			b.ReportAllocs()
			for b.Loop() {
				if out := r.JSON(bench.raw); &out[0] == &bench.raw[0] {
					b.Fatal("nothing was redacted")
				}
			}
		})
	}
}

func BenchmarkText(b *testing.B) {
	r := newRedactor(b, redact.Config{Secrets: tenSecrets()})
	for _, bench := range []struct{ name, text string }{
		{"short", `the server "github": it answered with error -32603: Not Found: issue #1200 of acme/widgets`},
		{"trace", "ENOENT: no such file or directory, open '/home/alice/x.json'\n    at Object.open (/home/alice/srv/fs.js:12:5)\n    at async main (/home/alice/srv/main.js:3:1)"},
		{"1MB", strings.Repeat("Error: connect ECONNREFUSED 10.0.0.7:5432 in /srv/app/db.js, try later\n", 14000)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.text)))
			b.ReportAllocs()
			for b.Loop() {
				r.Text(bench.text)
			}
		})
	}
}

// BenchmarkHostile has texts that are made to be slow: what takes them must
// stay linear.
func BenchmarkHostile(b *testing.B) {
	secrets := append(tenSecrets(), strings.Repeat("ab", 2000))
	r := newRedactor(b, redact.Config{Secrets: secrets})
	for name, unit := range map[string]string{
		"shapes": "sk-", "dots": "eyJ.", "dashes": "-----BEGIN PRIVATE KEY-----", "names": "token=", "colons": "token:", "cookies": "cookie: a", "at": "://a@",
		"paths": "/home/", "quoted": " '/tmp/", "hosts": "a.local", "addresses": "10.0.0.7:", "frames": " at a (b:1)\n", "percent": "%41", "entities": "&#65;",
		"backslashes": `\\\\`, "escapes": `\\u0041`, "secret": "ab", "breaks": "\n", "windows": `C:\a `, "shares": `\\a\`, "bearer": "bearer ", "basic": "basic a",
		"authorization": "authorization: ", "goroutines": "goroutine 1 [x]:\n\n",
	} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		raw := json.RawMessage(jsonQuote(text))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r.Text(text)
				r.JSON(raw)
			}
		})
	}
}

// BenchmarkPatternWithoutLiteral shows what Slow warns of.
func BenchmarkPatternWithoutLiteral(b *testing.B) {
	for name, pattern := range map[string]string{"literal": `ACME-[0-9]{8}`, "none": `[A-Z]{2}[0-9]{8}`} {
		b.Run(name, func(b *testing.B) {
			r := newRedactor(b, redact.Config{Patterns: []string{pattern}})
			raw := structured(2 << 20)
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				r.JSON(raw)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	secrets := tenSecrets()
	for b.Loop() {
		newRedactor(b, redact.Config{Secrets: secrets})
	}
}
