package quickjs

import "bytes"

// mcpParts finds the members of an MCP CallToolResult that matter, as they
// stand in its JSON. A tool with structured content sends the same as text
// too, so parsing only what is asked for saves half. ok is false where body is
// not an object as expected: then the whole has to be parsed to say why.
func mcpParts(body []byte) (structured, content []byte, isError, ok bool) {
	s := scanner{b: body}
	s.space()
	if !s.eat('{') {
		return nil, nil, false, false
	}
	s.space()
	if s.eat('}') {
		return nil, nil, false, true
	}
	for {
		s.space()
		key, good := s.str()
		if !good {
			return nil, nil, false, false
		}
		s.space()
		if !s.eat(':') {
			return nil, nil, false, false
		}
		s.space()
		start := s.i
		if !s.skip() {
			return nil, nil, false, false
		}
		val := bytes.TrimRight(body[start:s.i], " \t\r\n")
		switch string(key) {
		case "structuredContent":
			structured = val
			if string(val) == "null" {
				structured = nil
			}
		case "content":
			content = val
		case "isError":
			isError = string(val) == "true"
		}
		s.space()
		if s.eat('}') {
			return structured, content, isError, true
		}
		if !s.eat(',') {
			return nil, nil, false, false
		}
	}
}

// scanner steps over JSON without looking into it.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\r' || s.b[s.i] == '\t') {
		s.i++
	}
}

func (s *scanner) eat(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// str steps over a string and returns what is between its quotes.
func (s *scanner) str() ([]byte, bool) {
	if !s.eat('"') {
		return nil, false
	}
	start := s.i
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			s.i++
			return s.b[start : s.i-1], true
		case '\\':
			s.i++
		}
		s.i++
	}
	return nil, false
}

// skip steps over one value.
func (s *scanner) skip() bool {
	depth := 0
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case '"':
			if _, ok := s.str(); !ok {
				return false
			}
			if depth == 0 {
				return true
			}
		case '{', '[':
			depth++
			s.i++
		case '}', ']':
			if depth == 0 {
				return true
			}
			depth--
			s.i++
			if depth == 0 {
				return true
			}
		case ',', ':':
			if depth == 0 {
				return true
			}
			s.i++
		default:
			s.i++
		}
	}
	return depth == 0
}
