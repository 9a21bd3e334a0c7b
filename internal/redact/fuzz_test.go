package redact_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/redact"
)

func fuzzRedactor(t testing.TB) *redact.Redactor {
	return newRedactor(t, redact.Config{Secrets: secrets, Patterns: []string{`ACME-[0-9]{4}`, `§[0-9]+`}})
}

// seeds are the texts of the golden table, with the placeholders in them.
func seeds(f *testing.F) []string {
	data, err := os.ReadFile("testdata/messages.txt")
	if err != nil {
		f.Fatal(err)
	}
	var texts []string
	for _, part := range strings.Split(string(data), "\n### ")[1:] {
		before, _, _ := strings.Cut(part, goldenArrow)
		texts = append(texts, placeholder.ReplaceAllString(before, randomText(8, 40)))
	}
	return texts
}

// FuzzJSON wants valid JSON to stay valid, what is redacted to be found so, and
// the quick look at the bytes as they are to miss nothing.
func FuzzJSON(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add([]byte(jsonQuote(s)))
		f.Add([]byte(`{` + jsonASCII(s) + `:[{"a":1.5e3,"b":` + jsonQuote(jsonQuote(s)) + `}]}`))
	}
	for _, secret := range secrets {
		for _, enc := range encodings {
			f.Add([]byte(`{"a":[` + jsonQuote(enc.encode(secret)) + `,4711]}`))
		}
	}
	f.Add([]byte(`{"a":20260304123045, "b" : [-20260304123045.5E+7]}`))
	f.Add([]byte(`"\`))
	r := fuzzRedactor(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		before := string(in)
		for _, fn := range []func(json.RawMessage) json.RawMessage{r.JSON, r.MessageJSON} {
			out := fn(in)
			if string(in) != before {
				t.Fatalf("the argument was changed to %q", in)
			}
			if !json.Valid(in) {
				continue
			}
			if !json.Valid(out) {
				t.Fatalf("%s\nbecame invalid:\n%s", in, out)
			}
			if again := fn(out); string(again) != string(out) {
				t.Fatalf("%s\nbecame\n%s\nand that\n%s", in, out, again)
			}
		}
		if quick, slow := string(r.JSON(in)), r.JSONDecoded(in); quick != slow && json.Valid(in) {
			t.Fatalf("%s\nbecame\n%s\nand decoded\n%s", in, quick, slow)
		}
	})
}

// FuzzText wants texts to be redacted in one go, and no secret to be left.
func FuzzText(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	for _, secret := range secrets {
		f.Add(secret + secret)
	}
	f.Add("'A:\\7\\7\\t00'\n at .(00000)\n at .(00000) in A:\\7(00\\0")
	r := fuzzRedactor(f)
	f.Fuzz(func(t *testing.T, in string) {
		for _, fn := range []func(string) string{r.Text, r.DataText} {
			out := fn(in)
			for _, secret := range secrets {
				if strings.Contains(out, secret) {
					t.Fatalf("%q\nbecame\n%q\nwhich has %q", in, out, secret)
				}
			}
			if again := fn(out); again != out {
				t.Fatalf("%q\nbecame\n%q\nand that\n%q", in, out, again)
			}
		}
	})
}

// FuzzEncodings wants no secret to survive in an encoding, whatever stands
// around it.
func FuzzEncodings(f *testing.F) {
	for i := range encodings {
		f.Add("it is ", uint8(i), uint8(i), " and so on")
		f.Add(`\\`, uint8(i), uint8(i+1), `\`)
		f.Add(`%4&#x`, uint8(i), uint8(i+2), `;41;`)
		f.Add(`xx`, uint8(i), uint8(i+3), `yy`)
	}
	r := fuzzRedactor(f)
	f.Fuzz(func(t *testing.T, before string, encoding, secret uint8, after string) {
		// A backslash in front would make another escape of the first letter.
		before = strings.TrimRight(before, `\`)
		// So would an entity or a percent-encoding that is not finished.
		if strings.ContainsAny(before[max(0, len(before)-4):], "&%") {
			before += " "
		}
		enc := encodings[int(encoding)%len(encodings)]
		text := enc.encode(secrets[int(secret)%len(secrets)])
		in := before + text + after
		out := r.DataText(in)
		if strings.Contains(out, text) || strings.Contains(r.Text(in), text) {
			t.Fatalf("%s: %q\nbecame\n%q", enc.name, in, out)
		}
		raw := json.RawMessage(`[` + jsonASCII(in) + `]`)
		var got []string
		if err := json.Unmarshal(r.JSON(raw), &got); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got[0], text) {
			t.Fatalf("%s: %s\nbecame\n%q", enc.name, raw, got)
		}
	})
}
