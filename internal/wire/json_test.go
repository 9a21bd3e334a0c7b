package wire_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/autoclave-run/autoclave/internal/wire"
)

func TestValidateJSON(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct{ in, want string }{
		{`null`, ""}, {` true `, ""}, {`-0.5e+10`, ""}, {`"\u00e9\n\"é"`, ""}, {`[]`, ""}, {`{}`, ""},
		{`{"a":[1,{"b":null}],"a":2}`, ""}, {`1e999999`, ""}, {`"\ud800"`, ""}, {deep(64), ""},
		{``, "a value"}, {` `, "a value"}, {`nul`, "null"}, {`truee`, "the end"}, {`01`, "the end"}, {`-`, "a digit"}, {`1.`, "a digit"}, {`1e`, "a digit"},
		{`+1`, "a value"}, {`.5`, "a value"}, {`NaN`, "a value"}, {`'a'`, "a value"}, {`"a`, "the end of a string"}, {`"\x"`, "an escape"}, {`"\u12g4"`, "hexadecimal"},
		{"\"\n\"", "escaped"}, {"\"\xff\"", "UTF-8"}, {"\"\xed\xa0\x80\"", "UTF-8"}, {`[1,]`, "a value"}, {`[1 2]`, "','"}, {`[`, "a value"}, {`[1`, "','"}, {`{"a"}`, "':'"}, {`{"a":1,}`, "a property name"},
		{`{a:1}`, "a property name"}, {`{"a":1]`, "','"}, {`[1}`, "','"}, {`1 2`, "the end"}, {`]`, "a value"}, {"\ufeff1", "a value"}, {deep(65), "nested more than 64"}, {strings.Repeat(`{"a":`, 70), "nested more than 64"},
	} {
		err := wire.ValidateJSON([]byte(c.in), 64)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.40q: %v", c.in, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%.40q: %v, want an error with %q", c.in, err, c.want)
		}
	}
}

func TestMember(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"isError":true}`, "true"},
		{` { "content" : [ {"isError":false,"text":"}\"]"} ] , "isError" : true , "x":1}`, "true"},
		{`{"a":"isError","b":{"isError":true}}`, ""},
		{`{"isError":{"a":[1,2]}}`, `{"a":[1,2]}`},
		{`{"n":-1.5e3,"isError":false}`, "false"},
		{`{}`, ""}, {`[]`, ""}, {`"isError"`, ""}, {``, ""}, {`{"isErrors":true}`, ""}, {`{"isErro":true}`, ""},
	} {
		got, ok := wire.Member([]byte(c.in), "isError")
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q %v, want %q", c.in, got, ok, c.want)
		}
	}
}

// FuzzValidateJSON holds the validator to encoding/json's.
func FuzzValidateJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"\u1234",true,null]}`, `[[[]]]`, `"é"`, `{"isError":true}`, "[\"\xff\"]", `{"a":1,"isError":[{}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got := wire.ValidateJSON(in, 10000) == nil
		want := json.Valid(in) && utf8.Valid(in)
		if got != want {
			t.Fatalf("%q: valid is %v, encoding/json and utf8 say %v", in, got, want)
		}
		value, ok := wire.Member(in, "isError")
		if !got || !ok {
			return
		}
		if !json.Valid(value) {
			t.Fatalf("%q: member %q is not JSON", in, value)
		}
	})
}

func BenchmarkValidateJSON(b *testing.B) {
	var in bytes.Buffer
	in.WriteByte('[')
	for i := range 20000 {
		if i > 0 {
			in.WriteByte(',')
		}
		in.WriteString(`{"id":12345,"region":"north-west","product":"Widget Ünit","amount":1234.56,"date":"2026-01-31","ok":true}`)
	}
	in.WriteByte(']')
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(in.Len()))
		for b.Loop() {
			if err := wire.ValidateJSON(in.Bytes(), wire.MaxDepth); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(in.Len()))
		for b.Loop() {
			if !json.Valid(in.Bytes()) {
				b.Fatal("invalid")
			}
		}
	})
}
