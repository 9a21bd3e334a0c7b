package prelude_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// literal is a Go string as a JavaScript one.
func literal(t testing.TB, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// FuzzURL: a URL that parses gives an href that parses to itself, and nothing
// but an invalid URL is thrown.
func FuzzURL(f *testing.F) {
	for _, c := range readGolden(f, "url.txt") {
		if rest, ok := strings.CutPrefix(c.expr, "u('"); ok {
			if end := strings.IndexByte(rest, '\''); end >= 0 {
				f.Add(rest[:end], "http://h/a/b?c#d")
			}
		}
	}
	v := newVM(f)
	v.pristine(f)
	v.load(f, "url")
	v.must(f, `const again = (input, base) => {
		let x;
		try { x = base === "" ? new L.url.URL(input) : new L.url.URL(input, base); } catch (e) { return e.code === "ERR_INVALID_URL" ? "" : "threw " + e; }
		const y = new L.url.URL(x.href);
		return y.href === x.href && y.host === x.host && y.pathname === x.pathname ? "" : x.href + " becomes " + y.href;
	}; ''`)
	f.Fuzz(func(t *testing.T, input, base string) {
		if got := v.must(t, "again("+literal(t, input)+", "+literal(t, base)+")"); got != "" {
			t.Errorf("URL(%q, %q): %s", input, base, got)
		}
	})
}

// FuzzText: bytes become what the encoding standard says, and valid text
// survives the way there and back, in UTF-8 and in base64.
func FuzzText(f *testing.F) {
	f.Add([]byte("plain é€😀"))
	f.Add([]byte{0xf0, 0x9f, 0x98, 0x41, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xff})
	f.Add([]byte{0xef, 0xbb, 0xbf, 0xe2, 0x82})
	v := newVM(f)
	v.pristine(f)
	v.load(f, "text")
	f.Fuzz(func(t *testing.T, in []byte) {
		b64 := literal(t, base64.StdEncoding.EncodeToString(in))
		if got := v.must(t, "L.text.btoa(L.text.atob("+b64+")) === "+b64); got != "true" {
			t.Errorf("base64 of %x does not survive", in)
		}
		got := v.must(t, "JSON.stringify(new L.text.TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.fromBase64("+b64+")))")
		var s string
		if err := json.Unmarshal([]byte(got), &s); err != nil {
			t.Fatal(err)
		}
		if want := replaceInvalid(in); s != want {
			t.Errorf("%x decodes to %q, want %q", in, s, want)
		}
		if utf8.Valid(in) {
			if got := v.must(t, "new L.text.TextEncoder().encode("+literal(t, string(in))+").toBase64() === "+b64); got != "true" {
				t.Errorf("%q is not encoded as Go does", in)
			}
		}
	})
}

// replaceInvalid puts one U+FFFD for each maximal part of a sequence that could
// have become valid, as the encoding standard and Unicode recommend. (Go puts
// one for each byte.)
func replaceInvalid(in []byte) string {
	var out strings.Builder
	for len(in) > 0 {
		r, n := utf8.DecodeRune(in)
		if r == utf8.RuneError && n == 1 {
			for n < len(in) && n < 4 && couldBegin(in[:n+1]) {
				n++
			}
		}
		out.WriteRune(r)
		in = in[n:]
	}
	return out.String()
}

// couldBegin says whether more bytes can make a valid character of these.
func couldBegin(b []byte) bool {
	if utf8.FullRune(b) {
		return false
	}
	// FullRune takes the ranges of second bytes into account.
	return true
}
