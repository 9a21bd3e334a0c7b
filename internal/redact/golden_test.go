package redact_test

import (
	"flag"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/redact"
)

var update = flag.Bool("update", false, "write the second halves of testdata/messages.txt anew")

const (
	goldenSecret = "hunter2-Sesame/42 é"
	goldenArrow  = "---- becomes\n"
)

var placeholder = regexp.MustCompile(`‹[0-9]+›`)

// TestGolden holds redaction against a table of error texts of real servers.
func TestGolden(t *testing.T) {
	const file = "testdata/messages.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := newRedactor(t, redact.Config{Secrets: []string{goldenSecret}})
	parts := strings.Split(string(data), "\n### ")
	if len(parts) < 41 {
		t.Fatalf("%d texts: the table has lost some", len(parts)-1)
	}
	for i, part := range parts[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		before, want, _ := strings.Cut(rest, goldenArrow)
		before, want = strings.TrimSuffix(before, "\n"), strings.TrimSuffix(want, "\n")
		t.Run(name, func(t *testing.T) {
			expanded := map[string]string{}
			text := placeholder.ReplaceAllStringFunc(before, func(p string) string {
				n, err := strconv.Atoi(strings.Trim(p, "‹›"))
				if err != nil {
					t.Fatal(err)
				}
				expanded[p] = randomText(uint64(n), n)
				return expanded[p]
			})
			got := r.Text(text)
			if again := r.Text(got); again != got {
				t.Errorf("redacted again it becomes\n%s\nand was\n%s", again, got)
			}
			for p, s := range expanded {
				got = strings.ReplaceAll(got, s, p)
			}
			if *update {
				parts[i+1] = name + "\n" + before + "\n" + goldenArrow + got
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(parts, "\n### ")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
