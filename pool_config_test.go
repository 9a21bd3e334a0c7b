package autoclave_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"github.com/autoclave-run/autoclave"
)

// TestPoolConfigReachesThePool: every field of PoolConfig is handed on to the
// pool under its own name, so that none is lost on the way.
func TestPoolConfigReachesThePool(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "engines.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	handed := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, _ := kv.Key.(*ast.Ident)
		if value, ok := kv.Value.(*ast.SelectorExpr); ok && key != nil {
			if from, ok := value.X.(*ast.Ident); ok && from.Name == "size" {
				handed[key.Name] = value.Sel.Name
			}
		}
		return true
	})
	for _, field := range reflect.VisibleFields(reflect.TypeFor[autoclave.PoolConfig]()) {
		if handed[field.Name] != field.Name {
			t.Errorf("PoolConfig.%s does not reach the pool (%q does)", field.Name, handed[field.Name])
		}
	}
	_, err = autoclave.Open(context.Background(), autoclave.Config{Pool: autoclave.PoolConfig{Reserve: 2, MaxWorkers: 2}})
	if err == nil || !strings.Contains(err.Error(), "Reserve is 2") {
		t.Errorf("a reserve that leaves none: %v", err)
	}
}
