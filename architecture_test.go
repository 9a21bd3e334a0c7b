package autoclave_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/autoclave-run/autoclave"

// levels is the order of the packages: an import must point to a lower level.
// A package that is not here has no place in the design yet, and fails the
// test.
var levels = map[string]int{
	"internal/wire":             0,
	"internal/lockdown/seccomp": 0,
	"internal/quickjs/prelude":  0,
	"pool":                      0,
	"internal/lockdown":         1,
	"internal/quickjs":          1,
	"internal/node":             1,
	"internal/node/nodetest":    2,
	"internal/worker":           2,
	"internal/process":          3,
	"internal/conformance":      4,
	"":                          4,
	"internal/stash":            5,
	"internal/policy":           5,
	"internal/redact":           5,
	"internal/audit":            5,
	"internal/catalog":          5,
	"internal/upstream":         5,
	"internal/demo":             5,
	"internal/dispatch":         6,
	"internal/config":           7,
	"internal/gateway":          8,
	"internal/reload":           8,
	"cmd/autoclave":             9,
}

// forbidden are imports that the levels allow and the design does not. An
// entry that ends in / means everything below it.
var forbidden = []struct{ from, to, because string }{
	{"pool", module, "the pool knows nothing of processes or JavaScript, so that it can serve workers of any kind"},
	{"internal/wire", module, "the protocol has no policy"},
	{"internal/wire", "os", "the protocol knows bytes, not files"},
	{"internal/lockdown", module + "/internal/wire", "what confines a process does not depend on what it says"},
	{"internal/quickjs", module + "/internal/lockdown", "the engine does not know what confines it"},
	{"", module + "/internal/quickjs", "the host never parses a program: engines live on the far side of the pipe"},
	{"internal/process", module + "/internal/quickjs", "the host never parses a program: engines live on the far side of the pipe"},
	{"internal/upstream", module, "an MCP client knows nothing of programs, workers or policy"},
	{"internal/catalog", module + "/internal/upstream", "the index is pure: it is given what it indexes"},
	{"internal/policy", module, "policy is pure"},
	{"internal/stash", module, "the stash is pure"},
	{"internal/redact", module, "redaction is pure"},
	{"internal/gateway", module + "/internal/upstream", "every host call passes the one choke point: the gateway reaches upstreams through dispatch"},
}

type goPackage struct {
	ImportPath string
	Dir        string
	Name       string
	Imports    []string
	GoFiles    []string
	CgoFiles   []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Name,Imports,GoFiles,CgoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func short(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func TestArchitecture(t *testing.T) {
	for _, p := range listPackages(t) {
		name := short(p.ImportPath)
		level, known := levels[name]
		if !known {
			t.Errorf("package %s has no place in the design: give it a level", name)
			continue
		}
		if len(p.CgoFiles) > 0 || slices.Contains(p.Imports, "C") {
			t.Errorf("package %s uses cgo", name)
		}
		for _, imp := range p.Imports {
			for _, f := range forbidden {
				if f.from == name && (imp == f.to || strings.HasPrefix(imp, f.to+"/")) {
					t.Errorf("package %q imports %s: %s", name, imp, f.because)
				}
			}
			if !strings.HasPrefix(imp, module) {
				continue
			}
			if to, ok := levels[short(imp)]; ok && to >= level {
				t.Errorf("package %q (level %d) imports %q (level %d): imports point downwards", name, level, short(imp), to)
			}
		}
		for _, bad := range []string{"util", "utils", "common", "helpers", "misc"} {
			if p.Name == bad {
				t.Errorf("package %s says nothing by its name", name)
			}
		}
	}
}

// TestPackageComments demands that every package says what it is for, once.
func TestPackageComments(t *testing.T) {
	for _, p := range listPackages(t) {
		var with []string
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil && strings.TrimSpace(f.Doc.Text()) != "" {
				with = append(with, file)
			}
		}
		if len(with) != 1 {
			t.Errorf("package %s has a package comment in %d files %v, want exactly one", p.ImportPath, len(with), with)
		}
	}
}

// TestChokePoint demands that nothing reaches an upstream but by the one
// function that applies the rules: only it calls what calls what calls. It looks
// at types, not at names: a method value and an interface that an upstream fits
// are found too.
func TestChokePoint(t *testing.T) {
	const dispatch, upstream = module + "/internal/dispatch", module + "/internal/upstream"
	chain := map[string]string{ // who alone may use it
		upstream + ".Call": "send", upstream + ".ReadResource": "send",
		dispatch + ".send": "deliver", dispatch + ".deliver": "through", dispatch + ".through": "do",
	}
	exports := map[string]string{}
	var users []goPackage
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
	}
	for _, p := range listPackages(t) {
		if slices.Contains(p.Imports, upstream) {
			users = append(users, p)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	found := map[string]bool{}
	for _, p := range users {
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
		pkg, err := (&types.Config{Importer: imports}).Check(p.ImportPath, fset, files, info)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for _, d := range f.Decls {
				in := ""
				if fn, ok := d.(*ast.FuncDecl); ok && p.ImportPath == dispatch {
					in = fn.Name.Name
				}
				ast.Inspect(d, func(n ast.Node) bool {
					id, ok := n.(*ast.Ident)
					if !ok {
						return true
					}
					fn, ok := info.Uses[id].(*types.Func)
					if !ok || fn.Pkg() == nil || fn.Signature().Recv() == nil {
						return true
					}
					name := fn.Pkg().Path() + "." + fn.Name()
					if by, guarded := chain[name]; guarded && in != by {
						t.Errorf("%s: %s is used, which is for %s of dispatch alone", fset.Position(id.Pos()), name, by)
					} else if guarded {
						found[name] = true
					}
					return true
				})
			}
		}
		// Behind an interface the use could not be seen.
		for _, imp := range append(pkg.Imports(), pkg) {
			if imp.Path() != upstream {
				continue
			}
			for expr, tv := range info.Types {
				face, ok := tv.Type.Underlying().(*types.Interface)
				if !ok || !tv.IsType() {
					continue
				}
				for _, name := range imp.Scope().Names() {
					obj, ok := imp.Scope().Lookup(name).(*types.TypeName)
					if !ok || types.IsInterface(obj.Type()) || !types.Implements(types.NewPointer(obj.Type()), face) {
						continue
					}
					for m := range face.Methods() {
						if _, guarded := chain[upstream+"."+m.Name()]; guarded {
							t.Errorf("%s: *upstream.%s fits an interface with %s", fset.Position(expr.Pos()), name, m.Name())
						}
					}
				}
			}
		}
	}
	for name, by := range chain {
		if !found[name] {
			t.Errorf("%s does not use %s: the test looks for what is not there", by, name)
		}
	}
}
