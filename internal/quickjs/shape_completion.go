package quickjs

import (
	"bytes"
	"regexp"

	"github.com/evanw/esbuild/pkg/api"
)

// completion has canonical code keep what its statements evaluate to, as a
// script of its engine's own would: in a variable, since a function's body
// evaluates to nothing.
type completion struct {
	code []byte
	name string // of the variable
	// edits are what is put in, in the order of their places. None has a line
	// break in it: lines stay.
	edits []insertion
}

type insertion struct {
	at   int
	text string
}

func (c *completion) insert(at int, text string) {
	c.edits = append(c.edits, insertion{at, text})
}

var (
	keyword     = regexp.MustCompile(`^(?:if|for await|for|while|do|switch|try|with)\b`)
	isLabel     = regexp.MustCompile(`^[\w$]+:`)
	declaration = regexp.MustCompile(`^(?:const|let|var|function|class|async function|using|await using)\b`)
	jump        = regexp.MustCompile(`^(?:return|throw|break|continue|debugger)\b`)
)

// returnCompletion makes the program return what its last statement that has a
// value evaluates to, as { value }, and says whether it could.
func returnCompletion(ts *typescript) (body []byte, returns bool) {
	starts := statements(ts.code)
	k := len(starts) - 1
	for k >= 0 && (declaration.Match(ts.code[starts[k]:]) || ts.code[starts[k]] == ';') {
		k--
	}
	if k < 0 {
		return ts.code, false
	}
	c := completion{code: ts.code, name: "$value"}
	for bytes.Contains(c.code, []byte(c.name)) {
		c.name += "_"
	}
	next := len(c.code)
	if k+1 < len(starts) {
		next = starts[k+1]
	}
	c.insert(starts[k], "let "+c.name+"; ")
	if end := c.statement(starts[k], true); end < 0 || c.space(end) != next {
		return ts.code, false
	}
	body, moved := c.apply(ts.mapping)
	body = append(body, "\nreturn { value: "+c.name+" };\n"...)
	// The scanner above is no parser; this is one.
	if _, bad := transformAs(api.LoaderJS, []byte("(async()=>{"+string(body)+"})()"), 0); bad != nil {
		return ts.code, false
	}
	ts.mapping = moved
	return body, true
}

// apply returns the code with the edits in it, and where its positions are then.
func (c *completion) apply(positions []mapping) ([]byte, []mapping) {
	var out []byte
	moved := append([]mapping(nil), positions...)
	from, line, lineStart, m := 0, 0, 0, 0
	shift := 0 // of what follows on this line
	for _, e := range c.edits {
		out = append(append(out, c.code[from:e.at]...), e.text...)
		from = e.at
		at := line
		if n := bytes.Count(c.code[lineStart:e.at], []byte("\n")); n > 0 {
			at += n
			lineStart += bytes.LastIndexByte(c.code[lineStart:e.at], '\n') + 1
		}
		// The printer's code is ASCII: bytes are columns.
		for ; m < len(moved) && (moved[m].line < at || moved[m].line == at && moved[m].column < e.at-lineStart); m++ {
			if moved[m].line == line {
				moved[m].column += shift
			}
		}
		if at != line {
			line, shift = at, 0
		}
		shift += len(e.text)
	}
	for ; m < len(moved) && moved[m].line == line; m++ {
		moved[m].column += shift
	}
	return append(out, c.code[from:]...), moved
}

// statement goes over the one at i and returns where it ends. It is -1 where
// the code is not what is known of the printer's: then no edit holds. sets says
// that its value counts; it does not in a finally.
func (c *completion) statement(i int, sets bool) int {
	rest := c.code[i:]
	if len(rest) == 0 {
		return -1
	}
	switch {
	case rest[0] == ';':
		return i + 1
	case rest[0] == '{':
		return c.block(i, sets)
	case declaration.Match(rest):
		word := declaration.Find(rest)
		if bytes.HasSuffix(word, []byte("function")) || bytes.HasSuffix(word, []byte("class")) {
			return c.upTo(i, func(j int) bool {
				return c.code[j] == '}' && (j+1 == len(c.code) || c.code[j+1] == '\n')
			})
		}
		return c.upTo(i, c.is(';'))
	case jump.Match(rest):
		return c.upTo(i, c.is(';'))
	}
	j := i
	for j < len(c.code) && isLabel.Match(c.code[j:]) {
		j = c.space(j + bytes.IndexByte(c.code[j:], ':') + 1)
	}
	if word := keyword.Find(c.code[j:]); word != nil {
		// Around the labels: a loop must follow its own.
		if sets {
			c.insert(i, "{ "+c.name+" = void 0; ")
		}
		end := c.compound(j+len(word), string(word), sets)
		if sets && end > 0 {
			c.insert(end, " }")
		}
		return end
	}
	if j > i {
		return c.statement(j, sets)
	}
	end := c.upTo(i, c.is(';'))
	if end > 0 && sets {
		c.insert(i, c.name+" = (")
		c.insert(end-1, ")")
	}
	return end
}

// compound goes over a statement with others in it, from behind its first word.
func (c *completion) compound(end int, word string, sets bool) int {
	switch word {
	case "do":
		if end = c.statement(c.space(end), sets); end > 0 {
			end = c.upTo(end, c.is(';'))
		}
	case "try":
		if end = c.block(c.space(end), sets); end < 0 {
			return -1
		}
		if next := c.after(end, "catch"); next > 0 {
			if c.code[next] == '(' {
				next = c.space(c.brackets(next))
			}
			if end = c.block(next, sets); end < 0 {
				return -1
			}
		}
		if next := c.after(end, "finally"); next > 0 {
			end = c.block(next, false)
		}
	case "switch":
		end = c.cases(c.space(c.brackets(c.space(end))), sets)
	default:
		if end = c.brackets(c.space(end)); end > 0 {
			end = c.statement(c.space(end), sets)
		}
		if word == "if" && end > 0 {
			if next := c.after(end, "else"); next > 0 {
				end = c.statement(next, sets)
			}
		}
	}
	return end
}

// block goes over the statements in braces.
func (c *completion) block(i int, sets bool) int {
	if i < 0 || i >= len(c.code) || c.code[i] != '{' {
		return -1
	}
	for i = c.space(i + 1); i > 0 && i < len(c.code); i = c.space(i) {
		if c.code[i] == '}' {
			return i + 1
		}
		i = c.statement(i, sets)
	}
	return -1
}

var isCase = regexp.MustCompile(`^(?:case\b|default:)`)

// cases goes over what a switch has in its braces.
func (c *completion) cases(i int, sets bool) int {
	if i < 0 || i >= len(c.code) || c.code[i] != '{' {
		return -1
	}
	for i = c.space(i + 1); i > 0 && i < len(c.code); i = c.space(i) {
		switch {
		case c.code[i] == '}':
			return i + 1
		case isCase.Match(c.code[i:]):
			// The printer puts a space before the colon of a condition.
			i = c.upTo(i, func(j int) bool { return c.code[j] == ':' && c.code[j-1] != ' ' })
		default:
			i = c.statement(i, sets)
		}
	}
	return -1
}

// space returns where what is neither space nor a comment begins.
func (c *completion) space(i int) int {
	for i >= 0 && i < len(c.code) {
		switch {
		case bytes.IndexByte([]byte(" \t\r\n"), c.code[i]) >= 0:
			i++
		case bytes.HasPrefix(c.code[i:], []byte("//")), bytes.HasPrefix(c.code[i:], []byte("/*")):
			i = skipSlash(c.code, i) + 1
		default:
			return i
		}
	}
	return i
}

// after returns where what follows a word begins, -1 where the word is not what
// comes next.
func (c *completion) after(i int, word string) int {
	i = c.space(i)
	if i < 0 || !bytes.HasPrefix(c.code[i:], []byte(word)) {
		return -1
	}
	i += len(word)
	if i >= len(c.code) || isNameByte(c.code[i]) {
		return -1
	}
	if i = c.space(i); i >= len(c.code) {
		return -1
	}
	return i
}

// brackets returns where what is in brackets ends.
func (c *completion) brackets(i int) int {
	if i < 0 || i >= len(c.code) || c.code[i] != '(' {
		return -1
	}
	return c.upTo(i, c.is(')'))
}

func (c *completion) is(b byte) func(int) bool {
	return func(i int) bool { return c.code[i] == b }
}

// upTo returns the index behind the first byte outside brackets of which last
// says that it ends what begins at i; a bracket that closes is outside.
func (c *completion) upTo(i int, last func(int) bool) int {
	if i < 0 {
		return -1
	}
	depth := 0
	var templates []int
	for ; i < len(c.code); i++ {
		switch c.code[i] {
		case '"', '\'':
			i = skipQuoted(c.code, i)
			continue
		case '`':
			i, depth, templates = skipTemplate(c.code, i+1, depth, templates)
			continue
		case '/':
			i = skipSlash(c.code, i)
			continue
		case '(', '[', '{':
			depth++
			continue
		case ')', ']', '}':
			if depth--; depth < 0 {
				return -1
			}
			if n := len(templates); n > 0 && templates[n-1] == depth {
				templates = templates[:n-1]
				i, depth, templates = skipTemplate(c.code, i+1, depth, templates)
				continue
			}
		}
		if depth == 0 && last(i) {
			return i + 1
		}
	}
	return -1
}
