package quickjs

import (
	"bytes"
	"testing"
)

// TestCompile: an isolate whose prelude was compiled in another engine is the
// same as one whose prelude was compiled from its text, and every library
// loads.
func TestCompile(t *testing.T) {
	code, err := Compile()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Compile()
	if err != nil || !bytes.Equal(code, again) {
		t.Errorf("compiled twice, %d and %d bytes differ (%v)", len(code), len(again), err)
	}
	names := map[string]bool{}
	for rest := code; len(rest) > 0; {
		name, _, more, ok := nextBytecode(rest)
		if !ok {
			t.Fatal("the bytecode ends in the middle of a file")
		}
		names[name], rest = true, more
	}
	for _, f := range preludeFiles {
		if !names[f.name] {
			t.Errorf("%s.js was not compiled", f.name)
		}
	}
	e, err := New(Config{Bytecode: code})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, f := range preludeFiles[2:] {
		if err := e.preload(f.name); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkNewFromBytecode(b *testing.B) {
	code, err := Compile()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := New(Config{Bytecode: code})
		if err != nil {
			b.Fatal(err)
		}
		e.Close()
	}
}
