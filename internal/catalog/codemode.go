package catalog

import "slices"

// codeModeSentence is added to the description of a server that is a Code Mode
// server itself.
const codeModeSentence = "(Itself a code-mode server: its execute tool runs programs against tools that are not listed here; its search tool finds those.)"

// codeMode reports whether a server offers programs and a way to find what they
// can call, as this gateway does: few tools, one that takes code and one that
// searches tools. A server that has code search or runs notebooks has neither.
func codeMode(s *server) bool {
	if len(s.tools) < 2 || len(s.tools) > 8 {
		return false
	}
	own := nameStems(s.info.Name)
	executes, searches := false, false
	for _, t := range s.tools {
		name := slices.DeleteFunc(words(t.Name), func(w string) bool { return slices.Contains(own, stem(w)) })
		switch {
		case takesCode(t) && ofWords(name, runVerb, runNoun):
			executes = true
		case ofWords(name, findVerb, findNoun):
			searches = true
		}
	}
	return executes && searches
}

// ofWords reports whether a name has one of the verbs, and nothing beside verbs
// and nouns.
func ofWords(name []string, verb, noun func(string) bool) bool {
	some := false
	for _, w := range name {
		switch {
		case verb(w):
			some = true
		case !noun(w):
			return false
		}
	}
	return some
}

func runVerb(w string) bool {
	return slices.Contains([]string{"execute", "exec", "run", "eval", "evaluate", "codemode", "code"}, w)
}

func runNoun(w string) bool {
	return slices.Contains([]string{"code", "mode", "program", "script", "js", "javascript", "ts", "typescript", "python", "in", "sandbox", "snippet"}, w)
}

func findVerb(w string) bool {
	return slices.Contains([]string{"search", "find", "discover", "list", "describe", "lookup"}, w)
}

func findNoun(w string) bool {
	return slices.Contains([]string{"tool", "tools", "api", "apis", "docs", "doc", "function", "functions", "method", "methods", "operations", "endpoints", "catalog", "capabilities", "types", "schema", "for", "available"}, w)
}

// takesCode reports whether a tool has an argument that is a program.
func takesCode(t *tool) bool {
	if t.input == nil {
		return false
	}
	for _, p := range t.input.typ.props {
		switch p.name {
		case "code", "script", "program", "source", "javascript", "typescript", "js", "ts":
			return p.typ.kind == kindWord && p.typ.text == "string"
		}
	}
	return false
}
