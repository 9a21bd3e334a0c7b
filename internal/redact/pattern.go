package redact

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// pattern is one of a configuration.
type pattern struct {
	re *regexp.Regexp
	// literal is in all that the expression matches, in upper or lower case. It
	// is empty where none is known that the filter could look for.
	literal string
}

func newPattern(expr string) (pattern, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return pattern{}, fmt.Errorf("is no regular expression: %w", err)
	}
	if re.MatchString("") {
		return pattern{}, errors.New("matches the empty text: it would match between any two characters")
	}
	for _, mark := range []string{markSecret, markPattern, markPath, markAddress, markHost, markTrace, redacted("GitHub token")} {
		if re.MatchString(mark) {
			return pattern{}, fmt.Errorf("matches %q, which is put in place of what is redacted: make it match less", mark)
		}
	}
	p := pattern{re: re}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return pattern{}, fmt.Errorf("is no regular expression: %w", err)
	}
	if lit := required(tree.Simplify()); len(lit) >= gram {
		p.literal = lit
	}
	return p, nil
}

// required returns the longest literal that is in all that an expression
// matches. Only characters that no JSON text needs to escape count, as the
// filter looks at texts before they are decoded.
func required(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		best, now := "", ""
		for _, r := range re.Rune {
			// k and s have forms beyond ASCII that are equal but for case.
			wide := re.Flags&syntax.FoldCase != 0 && (r == 'k' || r == 'K' || r == 's' || r == 'S')
			if r < 0x20 || r >= 0x7f || r == '"' || r == '\\' || wide {
				now = ""
				continue
			}
			if now += string(r); len(now) > len(best) {
				best = now
			}
		}
		return best
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		best := ""
		for _, sub := range re.Sub {
			if lit := required(sub); len(lit) > len(best) {
				best = lit
			}
		}
		return best
	}
	return ""
}
