package prelude_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what Node gives into testdata, for expressions that have no result yet")

// golden is one case of a table in testdata: an expression, what it must give,
// and what Node gives where that differs on purpose.
type golden struct {
	expr, want string
	node       *string
}

func (g golden) nodeWant() string {
	if g.node != nil {
		return *g.node
	}
	return g.want
}

func readGolden(t testing.TB, name string) []golden {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	var want, node []string
	flush := func() {
		if len(all) == 0 {
			return
		}
		g := &all[len(all)-1]
		g.want = strings.Join(want, "\n")
		if node != nil {
			s := strings.Join(node, "\n")
			g.node = &s
		}
		want, node = nil, nil
	}
	for i, line := range strings.Split(string(b), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "> "):
			flush()
			all = append(all, golden{expr: line[2:]})
		case strings.HasPrefix(line, "= "):
			want = append(want, line[2:])
		case strings.HasPrefix(line, "~ "):
			node = append(node, line[2:])
		default:
			t.Fatalf("testdata/%s:%d: a line starts with \"> \", \"= \", \"~ \" or \"#\", not %q", name, i+1, line)
		}
	}
	flush()
	if raceEnabled && !*update {
		// The engine is some 45 times slower then, and has no goroutines.
		some := all[:0]
		for i := 0; i < len(all); i += 8 {
			some = append(some, all[i])
		}
		all = some
	}
	if len(all) == 0 {
		t.Fatalf("testdata/%s has no cases", name)
	}
	return all
}

// What the expressions of a table may call, in our engine and in Node.
const urlHelpers = `
	const u = (input, base) => {
		try {
			const x = base === undefined ? new URL(input) : new URL(input, base);
			return x.href + " | " + x.origin + " | " + x.protocol + " | " + x.username + " | " + x.password + " | " + x.host + " | " + x.hostname + " | " + x.port + " | " + x.pathname + " | " + x.search + " | " + x.hash;
		} catch (e) {
			return e.name + (e.code ? " " + e.code : "");
		}
	};
	const set = (input, field, value) => {
		const x = new URL(input);
		try { x[field] = value; } catch (e) { return e.name; }
		return x.href;
	};
`

const intlHelpers = `const d = new Date(1704467049007), d2 = new Date(1721865849007);`

type table struct {
	name    string
	library string
	helpers string
	ours    string // declares what helpers and expressions use, from L
	// hostile says whether an expression needs no built-in method itself.
	hostile func(expr string) bool
}

func free(of ...string) func(string) bool {
	return func(expr string) bool {
		for _, s := range of {
			if strings.Contains(expr, s) {
				return false
			}
		}
		return true
	}
}

var tables = []table{
	{
		name: "inspect", library: "inspect",
		ours:    "const inspect = L.inspect.inspect, format = (...args) => L.inspect.format(args);",
		hostile: free("%j"), // JSON.stringify itself meets setters of Array.prototype
	},
	{
		name: "url", library: "url", helpers: urlHelpers,
		ours:    "const { URL, URLSearchParams } = L.url;",
		hostile: free("JSON", "Object.", "[...", ".map(", "new Map", "join(", "[[", "'' + "),
	},
	{
		name: "intl", library: "intl", helpers: intlHelpers,
		ours:    "const { Intl } = L.intl; L.intl.install(globalThis);",
		hostile: free("JSON", "Object.prototype", ".sort(", ".map(", "ListFormat", "[1234.5,", "Object.assign"),
	},
}

// call is the expression of a case: inspect's are values.
func (tb table) call(expr string) string {
	if tb.name != "inspect" {
		return expr
	}
	if args, ok := strings.CutPrefix(expr, "format:"); ok {
		return "format(" + args + ")"
	}
	return "inspect(" + expr + ")"
}

func TestGolden(t *testing.T) {
	for _, tb := range tables {
		t.Run(tb.name, func(t *testing.T) {
			cases := readGolden(t, tb.name+".txt")
			v := newVM(t)
			v.pristine(t)
			v.load(t, tb.library)
			var script strings.Builder
			script.WriteString(tb.ours + tb.helpers)
			for i, c := range cases {
				fmt.Fprintf(&script, "try { R[%d] = P.String(%s); } catch (e) { R[%d] = threw(e); }\n", i, tb.call(c.expr), i)
			}
			compare(t, cases, v.results(t, script.String(), len(cases)))
		})
	}
}

func compare(t *testing.T, cases []golden, got []string) {
	t.Helper()
	for i, c := range cases {
		want := c.want
		if got[i] != want && got[i] != "THROWS "+want {
			t.Errorf("%s\n got: %s\nwant: %s", c.expr, got[i], want)
		}
	}
}

// TestNode holds the tables to the real thing.
func TestNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("Node is not there, and CI has to have it")
		}
		t.Skip("Node is not there")
	}
	version, err := exec.Command(node, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	// Other releases show errors differently and have other locale data.
	if !bytes.HasPrefix(version, []byte("v20.")) {
		t.Skipf("the tables are those of Node 20, this is %s", bytes.TrimSpace(version))
	}
	for _, tb := range tables {
		t.Run(tb.name, func(t *testing.T) {
			cases := readGolden(t, tb.name+".txt")
			var script strings.Builder
			script.WriteString("const { inspect, format } = require('util');" + tb.helpers + "const R = [];\n")
			for _, c := range cases {
				fmt.Fprintf(&script, "try { R.push(String(%s)); } catch (e) { R.push('THROWS ' + e.name); }\n", tb.call(c.expr))
			}
			script.WriteString("process.stdout.write(JSON.stringify(R));")
			cmd := exec.Command(node, "-")
			cmd.Env = append(os.Environ(), "TZ=UTC", "NO_COLOR=1")
			cmd.Stdin = strings.NewReader(script.String())
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if *update {
				addResults(t, tb.name+".txt", cases, got)
				return
			}
			for i, c := range cases {
				if got[i] != c.nodeWant() && got[i] != "THROWS "+c.nodeWant() {
					t.Errorf("%s\nNode: %s\n has: %s", c.expr, got[i], c.nodeWant())
				}
			}
		})
	}
}

// addResults fills in what Node gives for cases that have no result.
func addResults(t *testing.T, name string, cases []golden, got []string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	var out []string
	n := 0
	for i, line := range lines {
		out = append(out, line)
		if !strings.HasPrefix(line, "> ") {
			continue
		}
		if i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "= ") {
			for l := range strings.SplitSeq(got[n], "\n") {
				out = append(out, "= "+l)
			}
		}
		n++
	}
	if n != len(cases) {
		t.Fatalf("%d cases in the text, %d were read", n, len(cases))
	}
	if err := os.WriteFile(path, []byte(strings.Join(out, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
