package redact

import "strings"

// traces adds runs of frames of stack traces, whole lines each. Lines that say
// what went wrong are no frames, wherever they stand.
func traces(s string, edits []edit) []edit {
	var t traceScan
	from, to := -1, 0 // the run of frames so far
	previous := -1    // where the line before begins
	for at := 0; at < len(s); {
		end := len(s)
		if n := strings.IndexByte(s[at:], '\n'); n >= 0 {
			end = at + n
		}
		line := strings.TrimSuffix(s[at:end], "\r")
		blank := strings.TrimSpace(line) == ""
		switch {
		case t.frame(line):
			if from < 0 {
				from = at
				if t.named && previous >= 0 && isGoFunction(strings.TrimSpace(s[previous:at])) {
					from = previous
				}
			}
			to = at + len(line)
			// A trace that is a string in JSON ends with its quote.
			if n := strings.IndexByte(line, '"'); n > 0 && !t.inPython {
				edits = append(edits, edit{from, at + n, markTrace, rankTrace})
				from, t.goroutine, t.backtrace = -1, false, false
			}
		case blank && from >= 0:
			// It is part of the run if another frame comes.
		case from >= 0 && isGoFunction(line) && strings.HasPrefix(s[min(end+1, len(s)):], "\t"):
			// The name of the next frame, if that is one of Go's.
		default:
			if from >= 0 {
				edits = append(edits, edit{from, to, markTrace, rankTrace})
			}
			from = -1
		}
		previous = at
		at = end + 1
	}
	if from >= 0 {
		edits = append(edits, edit{from, to, markTrace, rankTrace})
	}
	return edits
}

// traceScan is what the lines so far say of the next.
type traceScan struct {
	goroutine bool // in the dump of a goroutine, which a blank line ends
	backtrace bool // behind the head of Rust's, whose frames are numbered
	// python is the indentation of a File line, and what is deeper is its source;
	// negative where there is none.
	python   int
	inPython bool
	named    bool // the line is one of Go's, whose function is on the line before
}

// frame reports whether a line is a frame, or the head of frames.
func (t *traceScan) frame(line string) bool {
	t.named = false
	text := strings.TrimLeft(line, " \t|")
	indent := len(line) - len(text)
	if t.goroutine {
		t.goroutine = text != "" && text[0] != '"' && !strings.HasPrefix(text, "exit status ")
		return t.goroutine
	}
	if t.inPython {
		if text == "" {
			t.inPython = false
			return false
		}
		if indent > t.python || strings.HasPrefix(text, "[Previous line repeated ") {
			return true
		}
		t.inPython = false
	}
	switch {
	case text == "":
		return false
	case strings.HasPrefix(text, "goroutine ") && strings.HasSuffix(text, "]:"):
		t.goroutine = true
		return true
	case strings.HasPrefix(text, "Traceback (most recent call last"):
		return true
	case strings.EqualFold(text, "stack backtrace:"):
		t.backtrace = true
		return true
	case strings.EqualFold(text, "stack trace:") || strings.EqualFold(text, "stacktrace:") || strings.EqualFold(text, "call stack:"):
		return true
	case strings.HasPrefix(text, `File "`) && strings.Contains(text, `", line `):
		t.inPython, t.python = true, indent
		return true
	case strings.HasPrefix(text, "at "):
		return isAt(text[len("at "):], indent > 0)
	case indent > 0 && strings.HasPrefix(text, "... ") && (strings.HasSuffix(text, " more") || strings.HasSuffix(text, " omitted") || strings.HasSuffix(text, " lines matching cause stack trace ...")):
		return true
	case strings.HasPrefix(text, "from ") && located(text, ":in "):
		return true // Ruby
	case text[0] == '#':
		return isNumbered(text)
	case strings.HasPrefix(text, "created by ") && strings.Contains(text, "."):
		return true
	case line[0] == '\t' && located(text, "") && strings.Contains(text, ".go:"):
		t.named = true
		return true
	case indent > 0 && text[0] == '(' && (strings.Contains(text, ".ex:") || strings.Contains(text, ".exs:") || strings.Contains(text, ".erl:")):
		return true // Elixir
	case t.backtrace:
		n := 0
		for n < len(text) && is(text[n], isDigit) {
			n++
		}
		t.backtrace = n > 0 && strings.HasPrefix(text[n:], ": ")
		return t.backtrace
	}
	return false
}

// isAt reports whether what follows "at " is a frame of JavaScript, Java, .NET
// or Rust, and not English: "at least one".
func isAt(text string, indented bool) bool {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "async "), "new ")
	open := strings.LastIndexByte(text, '(')
	if open < 0 {
		// A place and nothing else.
		return (located(text, "") || strings.HasPrefix(text, "<anonymous>")) && !strings.Contains(strings.TrimSpace(text), " ") ||
			indented && strings.Contains(text, "[native code]")
	}
	// .NET: Namespace.Type.Method(String name) in file:line 1
	name, rest, _ := strings.Cut(text, "(")
	_, after, ok := strings.Cut(rest, ")")
	if ok && indented && strings.Contains(name, ".") && !strings.Contains(name, " ") && (after == "" || strings.HasPrefix(after, " in ")) {
		return true
	}
	inside, _, ok := strings.Cut(text[open+1:], ")")
	switch inside {
	case "native", "Native Method", "Unknown Source", "<anonymous>":
		return ok
	}
	return ok && (located(inside, "") || strings.HasSuffix(inside, ".java") || strings.HasSuffix(inside, ".kt"))
}

// located reports whether a text has a line number: a colon, digits, and then
// the end, something other than a word, or what is asked for.
func located(text, then string) bool {
	for {
		n := strings.IndexByte(text, ':')
		if n < 0 {
			return false
		}
		text = text[n+1:]
		digits := 0
		for digits < len(text) && is(text[digits], isDigit) {
			digits++
		}
		if digits > 0 && strings.HasPrefix(text[digits:], then) && (then != "" || digits == len(text) || !is(text[digits], isWord)) {
			return true
		}
	}
}

// isNumbered reports whether a line is #0 with a place, as in PHP, Dart and gdb.
func isNumbered(text string) bool {
	n := 1
	for n < len(text) && is(text[n], isDigit) {
		n++
	}
	if n == 1 || n == len(text) || text[n] != ' ' {
		return false
	}
	text = strings.TrimLeft(text[n:], " ")
	if strings.HasPrefix(text, "{main}") || strings.HasPrefix(text, "[internal function]") || strings.HasPrefix(text, "0x") {
		return true
	}
	if open := strings.IndexByte(text, '('); open > 0 && is(text[min(open+1, len(text)-1)], isDigit) && strings.Contains(text[open:], "): ") {
		return true // PHP
	}
	return strings.Contains(text, "(") && located(text, "")
}

// isGoFunction reports whether a line is the name of a function as Go prints
// it, with arguments or without.
func isGoFunction(line string) bool {
	name, _, _ := strings.Cut(line, "(0x")
	name = strings.TrimSuffix(name, "(...)")
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && dot < len(name)-1 && !strings.ContainsAny(name, " \t:\"'")
}
