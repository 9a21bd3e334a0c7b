package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// edge is how much is kept of both ends of a line that is too long, to find
// out whose answer it was.
const edge = 512

// lineReader cuts a server's output into lines. A line's size is checked
// before memory is taken for it.
type lineReader struct {
	r   *bufio.Reader
	max int
}

func newLineReader(r io.Reader, limit int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), max: limit}
}

// oversized is a line that was longer than the limit. It was read to its end
// and is gone; head and tail are what its ends looked like.
type oversized struct {
	max        int
	size       int64
	head, tail []byte
}

func (o *oversized) Error() string {
	return fmt.Sprintf("a message of %d bytes is over the limit of %d", o.size, o.max)
}

// errEndless is a line of which no end is in sight.
var errEndless = errors.New("a line has no end")

// next returns the next line without its end, in memory of its own. The last
// line counts also where its end is missing. An *oversized error is not final.
func (l *lineReader) next() ([]byte, error) {
	var line []byte
	for {
		part, err := l.r.ReadSlice('\n')
		size := len(line) + len(part)
		if err == nil {
			size-- // the line feed
		}
		if size > l.max {
			return nil, l.skip(line, part, err)
		}
		if line == nil && err == nil {
			return bytes.Clone(part[:len(part)-1]), nil
		}
		if n := len(line) + len(part); n > cap(line) {
			// Doubling: append grows large slices by a quarter, and a line of
			// many megabytes would be copied too often.
			line = append(make([]byte, 0, min(2*n, l.max+1)), line...)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case len(line) > 0 && errors.Is(err, io.EOF):
			return line, nil
		default:
			return nil, err
		}
	}
}

// skip reads on to the end of a line that is too long. It gives up at 16 times
// the limit: a server must not be able to keep the host busy for ever.
func (l *lineReader) skip(line, part []byte, err error) error {
	o := &oversized{max: l.max, head: append([]byte{}, line[:min(len(line), edge)]...)}
	o.head = append(o.head, part[:min(len(part), edge-len(o.head))]...)
	o.size = int64(len(line))
	keep := func(p []byte) {
		o.size += int64(len(p))
		p = p[max(0, len(p)-edge):]
		if n := len(o.tail) + len(p) - edge; n > 0 {
			o.tail = o.tail[:copy(o.tail, o.tail[n:])]
		}
		o.tail = append(o.tail, p...)
	}
	keep(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		if o.size > 16*int64(l.max) {
			return errEndless
		}
		part, err = l.r.ReadSlice('\n')
		keep(part)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return o
}

// id guesses whose answer the line was: the writers of JSON-RPC put the id
// either first or last. Where neither end shows one it reports false.
func (o *oversized) id() (int64, bool) {
	tail := bytes.TrimRight(o.tail, " \t\r\n")
	if inner, ok := bytes.CutSuffix(tail, []byte("}")); ok {
		if i := bytes.LastIndexByte(inner, ':'); i >= 0 {
			key := bytes.TrimRight(inner[:i], " \t")
			if bytes.HasSuffix(key, []byte(`"id"`)) {
				if n, err := strconv.ParseInt(string(bytes.TrimSpace(inner[i+1:])), 10, 64); err == nil {
					return n, true
				}
			}
		}
	}
	// First: before any nested value, so that the id is the message's own.
	head := o.head
	if i := bytes.IndexByte(head, '{'); i >= 0 {
		head = head[i+1:]
	}
	if i := bytes.IndexAny(head, "{["); i >= 0 {
		head = head[:i]
	}
	if i := bytes.Index(head, []byte(`"id"`)); i >= 0 {
		rest := bytes.TrimLeft(head[i+len(`"id"`):], " \t:")
		if j := bytes.IndexByte(rest, ','); j >= 0 {
			if n, err := strconv.ParseInt(string(bytes.TrimSpace(rest[:j])), 10, 64); err == nil {
				return n, true
			}
		}
	}
	return 0, false
}

// envelope is the top level of a JSON-RPC message: where its parts are, not
// what they hold.
type envelope struct {
	id     []byte
	result []byte
	method []byte // as JSON
	// other says that a method or an error is there: no plain result.
	other bool
}

// scanEnvelope finds the top-level members of line. It is there so that a
// result of many megabytes is neither copied nor decoded: result aliases line.
// It reports false for what is not an object in which it can find its way;
// what is inside of the members it does not check.
func scanEnvelope(line []byte) (envelope, bool) {
	var e envelope
	i := skipSpace(line, 0)
	if i >= len(line) || line[i] != '{' {
		return e, false
	}
	i = skipSpace(line, i+1)
	for {
		if i >= len(line) || line[i] != '"' {
			return e, false
		}
		end := skipString(line, i)
		if end < 0 {
			return e, false
		}
		key := line[i+1 : end-1]
		i = skipSpace(line, end)
		if i >= len(line) || line[i] != ':' {
			return e, false
		}
		i = skipSpace(line, i+1)
		if end = skipValue(line, i); end < 0 {
			return e, false
		}
		switch string(key) {
		case "id":
			e.id = line[i:end]
		case "result":
			e.result = line[i:end]
		case "method":
			e.method, e.other = line[i:end], true
		case "error":
			e.other = true
		}
		i = skipSpace(line, end)
		if i >= len(line) {
			return e, false
		}
		switch line[i] {
		case ',':
			i = skipSpace(line, i+1)
		case '}':
			return e, skipSpace(line, i+1) == len(line)
		default:
			return e, false
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at i, or -1.
func skipString(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[min(i, len(b)):], '"')
		if n < 0 {
			return -1
		}
		slashes := 0
		for k := i + n - 1; k >= i && b[k] == '\\'; k-- {
			slashes++
		}
		i += n
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

// skipValue returns the index after the value that begins at i, or -1.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	start := i
	for i < len(b) && bytes.IndexByte([]byte(",}] \t\r\n"), b[i]) < 0 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// resultOf returns the id and the result where line is a response with one.
func (e envelope) resultOf() (id int64, result []byte, ok bool) {
	if e.other || e.result == nil {
		return 0, nil, false
	}
	id, err := strconv.ParseInt(string(e.id), 10, 64)
	return id, e.result, err == nil
}
