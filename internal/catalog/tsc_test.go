package catalog_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/catalog"
)

// tsc returns the command of the pinned compiler, installing it at the first
// run. Without Node.js, or without a way to npm's registry, the test is
// skipped; in CI it fails.
func tsc(t *testing.T) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("the compiler takes seconds")
	}
	missing := func(format string, args ...any) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf(format, args...)
		}
		t.Skipf(format, args...)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("needs Node.js: %v", err)
	}
	compiler := filepath.Join("testdata", "tsc", "node_modules", "typescript", "lib", "tsc.js")
	if _, err := os.Stat(compiler); err != nil {
		name := "npm"
		if runtime.GOOS == "windows" {
			name = "npm.cmd"
		}
		install := exec.CommandContext(t.Context(), name, "ci", "--no-audit", "--no-fund")
		install.Dir = filepath.Join("testdata", "tsc")
		if out, err := install.CombinedOutput(); err != nil {
			missing("installing the compiler with npm ci in %s: %v\n%s", install.Dir, err, out)
		}
	}
	compiler, err = filepath.Abs(compiler)
	if err != nil {
		t.Fatal(err)
	}
	return []string{node, compiler}
}

// compile checks files, each a module of its own beside the sandbox's
// declarations, and reports what the compiler says.
func compile(t *testing.T, files map[string]string) {
	t.Helper()
	command := tsc(t)
	dir := t.TempDir()
	sandbox, err := os.ReadFile("../../sandbox.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("sandbox.d.ts", string(sandbox))
	for name, text := range files {
		write(name, text+"\nexport {};\n")
	}
	write("tsconfig.json", `{"compilerOptions":{"strict":true,"noEmit":true,"target":"es2023","lib":["es2023"],"types":[],
		"module":"esnext","moduleDetection":"force","noUncheckedIndexedAccess":true}}`)
	run := exec.CommandContext(t.Context(), command[0], append(command[1:], "-p", dir)...)
	if out, err := run.CombinedOutput(); err != nil {
		lines := strings.Split(string(out), "\n")
		t.Errorf("tsc: %v: %d lines of output\n%s", err, len(lines), strings.Join(lines[:min(len(lines), 20)], "\n"))
		for name, text := range files {
			if strings.Contains(string(out), name+"(") {
				t.Logf("%s:\n%s", name, text)
				break
			}
		}
	}
}

// declareHit returns a signature as a declaration.
func declareHit(i int, h catalog.Hit) string {
	_, rest, _ := strings.Cut(h.Types, "(")
	return fmt.Sprintf("declare function f%d(%s;\n", i, rest)
}

func TestTypeScriptOfRealServers(t *testing.T) {
	c := catalog.New(realServers(t))
	files := map[string]string{}
	for _, s := range c.Servers() {
		text, err := c.Types(s.Name, "")
		if err != nil {
			t.Fatal(err)
		}
		files[s.Name+".ts"] = text
		tools, err := c.Tools(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools {
			if text, err = c.Types(s.Name, tool.Name); err != nil {
				t.Fatal(err)
			}
			files[s.Name+"."+tool.Name+".ts"] = text
		}
		var signatures strings.Builder
		for i, h := range c.Search(catalog.Query{Server: s.Name, Limit: 100}).Tools {
			signatures.WriteString(declareHit(i, h))
		}
		files["signatures."+s.Name+".ts"] = signatures.String()
	}
	// Programs that use them. What must not compile is marked.
	files["tracker.ts"] += `
async function program() {
  const { issues, total } = await tools.tracker.list_issues({ state: "open", limit: 3 });
  const first: string | undefined = issues?.[0]?.title;
  const made = await tools.tracker.create_issue({ title: "x" });
  const n: number = made.number + total;
  await tools.tracker.list_issues();
  // @ts-expect-error: title is missing
  await tools.tracker.create_issue({ body: "x" });
  // @ts-expect-error: a number
  await tools.tracker.get_issue({ number: "1" });
  // @ts-expect-error: no such tool
  tools.tracker.drop_issue;
  console.log(first, n);
}`
	files["everything.ts"] += `
async function program() {
  const sum: unknown = await tools.everything["get-sum"]({ a: 1, b: 2 });
  const weather = await tools.everything["get-structured-content"]({ location: "Chicago" });
  // @ts-expect-error: not one of them
  await tools.everything["get-structured-content"]({ location: "Paris" });
  await stash.put("k", weather.temperature);
  console.log(sum);
}`
	compile(t, files)
}

func TestTypeScriptOfSchemas(t *testing.T) {
	files := map[string]string{}
	add := func(name string, tools ...catalog.Tool) {
		c := one(tools...)
		text, err := c.Types("s", "")
		if err != nil {
			t.Fatal(err)
		}
		checkText(t, text)
		var signatures strings.Builder
		for i, h := range c.Search(catalog.Query{Server: "s", Limit: 100}).Tools {
			signatures.WriteString(declareHit(i, h))
		}
		files[name+".ts"] = text
		files[name+".signatures.ts"] = signatures.String()
	}
	var tools []catalog.Tool
	for i, test := range schemaCases() {
		schema := json.RawMessage(`{"type":"object","required":["p"],"properties":{"p":` + test.schema + `}}`)
		tools = append(tools, catalog.Tool{Name: fmt.Sprint("t", i), Description: test.name, InputSchema: schema, OutputSchema: schema})
	}
	add("cases", tools...)
	tools = nil
	for _, test := range hostileSchemas() {
		tools = append(tools, catalog.Tool{Name: test.name, Description: "*/ export = 1; /*", InputSchema: test.schema, OutputSchema: test.schema})
	}
	add("hostile", tools...)
	for i := range 25 {
		random := rand.New(rand.NewPCG(7, uint64(i)))
		tools = nil
		for n := range 25 {
			tools = append(tools, catalog.Tool{
				Name: fmt.Sprint("t", n), Description: randomText(random),
				InputSchema: randomSchema(random), OutputSchema: randomSchema(random),
			})
		}
		add(fmt.Sprint("random", i), tools...)
	}
	compile(t, files)
}
