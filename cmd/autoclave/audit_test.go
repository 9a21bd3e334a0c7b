package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// TestCodesAreAll compares the codes that `audit --code` knows with those that
// there are: a code that is not known could not be looked for.
func TestCodesAreAll(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../errors.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, decl := range file.Decls {
		consts, ok := decl.(*ast.GenDecl)
		if !ok || consts.Tok != token.CONST {
			continue
		}
		for _, spec := range consts.Specs {
			if v := spec.(*ast.ValueSpec); v.Type != nil && v.Type.(*ast.Ident).Name == "Code" {
				declared += len(v.Names)
			}
		}
	}
	unique := slices.Clone(knownCodes)
	slices.Sort(unique)
	if unique = slices.Compact(unique); len(unique) != declared || declared == 0 {
		t.Errorf("%d codes are known, and %d are declared", len(unique), declared)
	}
	for _, code := range knownCodes {
		if err := checkCode(string(code)); err != nil {
			t.Error(err)
		}
	}
	if err := checkCode(wire.CodeToolError + "S"); err == nil || !strings.Contains(err.Error(), wire.CodeToolError) {
		t.Errorf("%v", err)
	}
}
