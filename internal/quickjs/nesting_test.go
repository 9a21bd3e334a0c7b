package quickjs

import (
	"runtime/debug"
	"strings"
	"testing"
)

// What stripTypes lets through must not run out of the stack that a worker
// has: the process would die. If this fails, the test process does.
func TestStripTypesFitsTheStack(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(64 << 20))
	const n = maxChain - 10
	if tooComplex([]byte(strings.Repeat("!", maxChain+1))) == nil || tooComplex([]byte(strings.Repeat("(", maxNesting+1))) == nil {
		t.Error("there is no bound")
	}
	for name, src := range map[string]string{
		"not":         strings.Repeat("!", n) + "1",
		"member":      "a" + strings.Repeat(".a", n/2),
		"optional":    "a" + strings.Repeat("?.a", n/3),
		"call":        "a" + strings.Repeat("()", n),
		"index":       "a" + strings.Repeat("[0]", n),
		"template":    "a" + strings.Repeat("``", n),
		"arrow":       strings.Repeat("a=>", n/3) + "1",
		"assign":      strings.Repeat("a=", n/2) + "1",
		"ternary":     strings.Repeat("a?b:", n/4) + "1",
		"power":       strings.Repeat("a**", n/3) + "1",
		"plus":        strings.Repeat("a+", n/2) + "1",
		"if":          strings.Repeat("if(1)", n/2) + ";",
		"else if":     strings.Repeat("if(1){}else ", n/4) + "1",
		"for":         strings.Repeat("for(;;)", n/2) + ";",
		"do":          strings.Repeat("do ", n) + ";",
		"typeof":      strings.Repeat("typeof ", n) + "1",
		"new":         strings.Repeat("new ", n) + "a",
		"await":       strings.Repeat("await ", n) + "a",
		"label":       strings.Repeat("a:", n/2) + ";",
		"type":        "let a:" + strings.Repeat("A<", n/3) + "1" + strings.Repeat(">", n/3),
		"function":    "let a:" + strings.Repeat("()=>", n/4) + "1",
		"conditional": "let a:" + strings.Repeat("a extends b?c:", n/6) + "1",
		"assertion":   strings.Repeat("<a>", n/3) + "1",
		"brackets":    strings.Repeat("(", maxNesting-2) + "1" + strings.Repeat(")", maxNesting-2),
		"arrays":      strings.Repeat("[1,", maxNesting-2) + strings.Repeat("]", maxNesting-2),
		"objects":     "a=" + strings.Repeat("{a:", maxNesting-2) + "1" + strings.Repeat("}", maxNesting-2),
		"blocks":      strings.Repeat("{", maxNesting-2) + strings.Repeat("}", maxNesting-2),
		"functions":   strings.Repeat("()=>{return ", (maxNesting-2)/2) + "1" + strings.Repeat("}", (maxNesting-2)/2),
		"templates":   strings.Repeat("`${", maxNesting-2) + "1" + strings.Repeat("}`", maxNesting-2),
	} {
		t.Run(name, func(t *testing.T) {
			if bad := tooComplex([]byte(src)); bad != nil {
				t.Fatalf("not tried: %s", bad.message)
			}
			stripTypes([]byte(src))
		})
	}
}

func TestTooComplexKnowsTokens(t *testing.T) {
	for name, src := range map[string]string{
		"string":        `const a: string = "` + strings.Repeat("((", 1000) + `";`,
		"comment":       "/* " + strings.Repeat("((", 1000) + " */ // " + strings.Repeat("[", 1000) + "\nlet a: number",
		"template":      "const a: string = `" + strings.Repeat("(! . ", 20000) + "${a + `x${1}`}" + strings.Repeat("{", 1000) + "`",
		"regexp":        "const a: RegExp = /[" + strings.Repeat("(", 1000) + "/]/; const b = 1 / 2 / 3",
		"data":          "const a: number[] = [" + strings.Repeat("-1.5, ", 20000) + "]",
		"no semicolons": strings.Repeat("function f(a: number): number {\n  return a\n}\nconst x = f(1)\n", 1000),
		"code":          strings.Repeat("function f(a: number): number {\n  const b = a + 1\n  return b * 2\n}\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			if bad := tooComplex([]byte(src)); bad != nil {
				t.Errorf("refused: %s at %d:%d", bad.message, bad.line, bad.column)
			}
		})
	}
}
