package catalog

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []string
	}{
		{"create_issue", []string{"create", "issue"}},
		{"createIssue", []string{"create", "issue"}},
		{"HTTPServer", []string{"http", "server"}},
		{"getURLs", []string{"get", "urls"}},
		{"getURL", []string{"get", "url"}},
		{"base64Encode2x", []string{"base", "64", "encode", "2", "x"}},
		{"a.b/c-d e", []string{"a", "b", "c", "d", "e"}},
		{"server's don't", []string{"server", "dont"}},
		{"Größe ändern", []string{"größe", "ändern"}},
		{"天気を見る", []string{"天", "気", "を", "見", "る"}},
		{"", nil}, {"--", nil},
	} {
		if got := words(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}

func TestStem(t *testing.T) {
	// Each line is one word in several forms.
	for _, forms := range [][]string{
		{"issue", "issues"}, {"create", "created", "creates", "creating"}, {"query", "queries", "queried"}, {"list", "listing", "lists", "listed"},
		{"run", "running", "runs"}, {"directory", "directories"}, {"match", "matches", "matching"}, {"process", "processes", "processing"},
		{"move", "moved", "moving", "moves"}, {"file", "files"}, {"box", "boxes"}, {"address", "addresses"}, {"add", "adding", "added", "adds"},
		{"delete", "deleting", "deletes"}, {"note", "notes"},
	} {
		for _, form := range forms[1:] {
			if stem(form) != stem(forms[0]) {
				t.Errorf("%q is %q, but %q is %q", form, stem(form), forms[0], stem(forms[0]))
			}
		}
	}
	for _, apart := range [][2]string{{"list", "last"}, {"string", "strong"}, {"status", "state"}} {
		if stem(apart[0]) == stem(apart[1]) {
			t.Errorf("%q and %q are one", apart[0], apart[1])
		}
	}
}

func TestQuote(t *testing.T) {
	for _, test := range [][2]string{
		{`plain`, `"plain"`}, {`a"b\c`, `"a\"b\\c"`}, {"a\nb\tc\rd\x00", `"a\nb\tc\rd\u0000"`},
		{"\u2028\u202e\u200b\ufeff\u00a0", `"\u2028\u202e\u200b\ufeff\u00a0"`}, {"\U000e0041", `"\udb40\udc41"`},
		{"日本 ä 🙂", `"日本 ä 🙂"`}, {"हिन्दी", `"हिन्दी"`},
		{"*/", `"*\u002f"`}, {"```", "\"`\\u0060\\u0060\""},
		{"<system>", `"\u003csystem\u003e"`}, {"a < b -> c", `"a < b -> c"`},
	} {
		if got := quote(test[0]); got != test[1] {
			t.Errorf("%q: got %s, want %s", test[0], got, test[1])
		}
	}
}
