package quickjs

import "fmt"

// tooComplex says whether a text is nested too deeply, or too long, to be
// given to a parser that recurses. It tells strings, templates, comments and
// regular expressions apart as far as that goes without parsing: a program
// that fools it on purpose can end its own worker and no other.
func tooComplex(text []byte) *syntaxError {
	n := nesting{text: text, chains: []int{0}}
	n.scan()
	if n.bad == "" {
		return nil
	}
	line, column := n.where()
	return &syntaxError{"SyntaxError: " + n.bad + ", which is the most for a program with types", line, column}
}

type nesting struct {
	text []byte
	i    int
	bad  string
	// chains has, for each open bracket and the top, how many tokens there
	// were in it since the last that ends a chain; sum is all of them.
	chains []int
	sum    int
	// templates has the depth at which each open template goes on.
	templates []int
	// operand says that the last token ended a value: a slash then divides.
	operand bool
	newLine bool // there was one since the last word
}

var startsStatement = map[string]bool{
	"const": true, "let": true, "var": true, "function": true, "async": true, "class": true, "interface": true,
	"type": true, "enum": true, "export": true, "return": true, "throw": true,
}

func (n *nesting) token() {
	n.chains[len(n.chains)-1]++
	if n.sum++; n.sum > maxChain {
		n.bad = fmt.Sprintf("more than %d words and signs follow each other here without a comma or a semicolon", maxChain)
	}
}

func (n *nesting) open() {
	n.chains = append(n.chains, 0)
	if len(n.chains) > maxNesting {
		n.bad = fmt.Sprintf("brackets are nested more than %d deep here", maxNesting)
	}
}

func (n *nesting) endChain() {
	n.sum -= n.chains[len(n.chains)-1]
	n.chains[len(n.chains)-1] = 0
}

func (n *nesting) close() {
	if len(n.chains) > 1 {
		n.endChain()
		n.chains = n.chains[:len(n.chains)-1]
	}
}

func (n *nesting) where() (line, column int) {
	line, column = 1, 1
	for _, c := range n.text[:min(n.i, len(n.text))] {
		if column++; c == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}

func (n *nesting) scan() {
	for n.i < len(n.text) && n.bad == "" {
		c := n.text[n.i]
		next := byte(0)
		if n.i+1 < len(n.text) {
			next = n.text[n.i+1]
		}
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			n.newLine = n.newLine || c == '\n'
			n.i++
			continue
		case c == '/' && next == '/':
			n.until('\n')
			continue
		case c == '/' && next == '*':
			n.i += 2
			for n.i < len(n.text) && !(n.text[n.i-1] == '*' && n.text[n.i] == '/' && n.i > 2) {
				n.i++
			}
			n.i++
			continue
		}
		n.token()
		switch {
		case isNameByte(c):
			start := n.i
			for n.i < len(n.text) && isNameByte(n.text[n.i]) {
				n.i++
			}
			// A new line that starts so is a new statement, unless an
			// operator is before it.
			if n.newLine && n.operand && startsStatement[string(n.text[start:n.i])] {
				n.endChain()
			}
			n.operand, n.newLine = true, false
			continue
		case c == '"' || c == '\'':
			n.i++
			n.quoted(c)
			n.operand = true
			continue
		case c == '`':
			n.i++
			n.template()
			continue
		case c == '/' && !n.operand:
			n.i++
			n.regexp()
			n.operand = true
			continue
		case c == '(' || c == '[' || c == '{':
			n.open()
			n.operand = false
		case c == '}' && len(n.templates) > 0 && n.templates[len(n.templates)-1] == len(n.chains):
			n.templates = n.templates[:len(n.templates)-1]
			n.close()
			n.i++
			n.template()
			continue
		case c == ')' || c == ']' || c == '}':
			n.close()
			n.operand = true
		case c == ',' || c == ';':
			n.endChain()
			n.operand = false
		default:
			n.operand = false
		}
		n.i++
	}
}

func (n *nesting) until(end byte) {
	for n.i < len(n.text) && n.text[n.i] != end {
		n.i++
	}
}

// quoted steps over the rest of a string.
func (n *nesting) quoted(quote byte) {
	for n.i < len(n.text) {
		c := n.text[n.i]
		n.i++
		switch c {
		case '\\':
			n.i++
		case quote, '\n':
			return
		}
	}
}

// template steps over text in a template up to its end or a substitution.
func (n *nesting) template() {
	for n.i < len(n.text) {
		c := n.text[n.i]
		n.i++
		switch {
		case c == '\\':
			n.i++
		case c == '`':
			n.operand = true
			return
		case c == '$' && n.i < len(n.text) && n.text[n.i] == '{':
			n.i++
			n.open()
			n.templates = append(n.templates, len(n.chains))
			n.operand = false
			return
		}
	}
}

// regexp steps over the rest of a regular expression.
func (n *nesting) regexp() {
	class := false
	for n.i < len(n.text) {
		c := n.text[n.i]
		n.i++
		switch {
		case c == '\\':
			n.i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class, c == '\n':
			return
		}
	}
}
