package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
)

// Headers are JSON, and encoding/json would do: it does for every header that
// is not written as this package writes it. But five to ten headers are read
// and written for each execution, mostly by a processor that has just been
// woken and has nothing of encoding/json in its caches, where each costs
// several microseconds. So what this package writes itself, compact and plain,
// is read by a scanner that gives up, and leaves the header to encoding/json, at
// anything else: white space, escapes, unknown or repeated fields, null. A fuzz
// test holds the two to the same answer.

// decodeHeader decodes a header.
func decodeHeader(raw []byte, h *Header) error {
	s := scanner{b: raw}
	if s.header(h) {
		return nil
	}
	*h = Header{}
	return json.Unmarshal(raw, h)
}

// scanner reads compact JSON. Its methods report false where they give up.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) byte(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// text is a string of printable ASCII without escapes.
func (s *scanner) text() (string, bool) {
	raw, ok := s.rawText()
	return string(raw), ok
}

// word is text that is mostly one of the protocol's own words, for which no
// memory is taken.
func (s *scanner) word() (string, bool) {
	raw, ok := s.rawText()
	for _, w := range words {
		if string(raw) == w {
			return w, ok
		}
	}
	return string(raw), ok
}

var words = [...]string{
	string(TypeCall), string(TypeReturn), string(KindTool), string(FormMCP), string(TypeExecute), string(TypeStarted), string(TypeDone),
	string(TypeReset), string(TypeArmed), string(TypeLog), LevelLog, LevelInfo, LevelWarn, LevelError, LevelDebug, string(TypeEmit),
	string(TypeProgress), string(TypeCatalog), string(TypeCancel), string(FormAbsent),
}

func (s *scanner) rawText() ([]byte, bool) {
	if !s.byte('"') {
		return nil, false
	}
	start := s.i
	for s.i < len(s.b) && plain[s.b[s.i]] {
		s.i++
	}
	raw := s.b[start:s.i]
	return raw, s.byte('"')
}

// natural is a number without sign, fraction and exponent, below 10^18.
func (s *scanner) natural() (uint64, bool) {
	start := s.i
	var n uint64
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		n = n*10 + uint64(s.b[s.i]-'0')
		s.i++
	}
	digits := s.i - start
	if digits == 0 || digits > 18 || digits > 1 && s.b[start] == '0' {
		return 0, false
	}
	return n, true
}

func (s *scanner) integer(dst *int64) bool {
	n, ok := s.natural()
	*dst = int64(n)
	return ok
}

func (s *scanner) truth(dst *bool) bool {
	const word = "true"
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return false
	}
	s.i += len(word)
	*dst = true
	return true
}

// object reads an object, each of whose fields is read by field. Seen has a bit
// for each field that has come, so that none comes twice.
func (s *scanner) object(field func(name []byte) (bit int, ok bool)) bool {
	if !s.byte('{') {
		return false
	}
	if s.byte('}') {
		return true
	}
	for seen := uint64(0); ; {
		name, ok := s.rawText()
		if !ok || !s.byte(':') {
			return false
		}
		bit, ok := field(name)
		if !ok || seen&(1<<bit) != 0 {
			return false
		}
		seen |= 1 << bit
		if s.byte('}') {
			return true
		}
		if !s.byte(',') {
			return false
		}
	}
}

func (s *scanner) header(h *Header) bool {
	ok := s.object(func(name []byte) (bit int, ok bool) {
		switch string(name) {
		case "type":
			t, ok := s.word()
			h.Type = Type(t)
			return 0, ok
		case "id":
			h.ID, ok = s.natural()
			return 1, ok
		case "call":
			h.Call, ok = s.natural()
			return 2, ok
		case "kind":
			t, ok := s.word()
			h.Kind = Kind(t)
			return 3, ok
		case "server":
			h.Server, ok = s.text()
			return 4, ok
		case "name":
			h.Name, ok = s.text()
			return 5, ok
		case "timeout_ms":
			return 6, s.integer(&h.Timeout)
		case "form":
			t, ok := s.word()
			h.Form = Form(t)
			return 7, ok
		case "level":
			h.Level, ok = s.word()
			return 8, ok
		case "truncated":
			return 9, s.truth(&h.Truncated)
		case "usage":
			h.Usage = new(Usage)
			return 10, s.usage(h.Usage)
		case "limits":
			h.Limits = new(Limits)
			return 11, s.limits(h.Limits)
		case "seed":
			return 12, s.seed(h)
		case "catalog":
			h.Catalog, ok = s.text()
			return 13, ok
		case "generation":
			h.Generation, ok = s.natural()
			return 14, ok
		}
		return 0, false
	})
	return ok && s.i == len(s.b)
}

func (s *scanner) seed(h *Header) bool {
	raw, ok := s.rawText()
	if !ok || len(raw) == 0 {
		return false
	}
	seed := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, err := base64.StdEncoding.Decode(seed, raw)
	h.Seed = seed[:n]
	return err == nil
}

func (s *scanner) usage(u *Usage) bool {
	return s.object(func(name []byte) (int, bool) {
		switch string(name) {
		case "cpu_us":
			return 0, s.integer(&u.CPU)
		case "heap_peak":
			return 1, s.integer(&u.HeapPeak)
		case "calls":
			return 2, s.integer(&u.Calls)
		}
		return 0, false
	})
}

func (s *scanner) limits(l *Limits) bool {
	return s.object(func(name []byte) (int, bool) {
		for i := range limitFields {
			if string(name) == limitFields[i].name {
				return i, s.integer(limitFields[i].of(l))
			}
		}
		if string(name) == "preview" {
			return len(limitFields), s.truth(&l.Preview)
		}
		return 0, false
	})
}

// limitFields are the sizes and times of Limits.
var limitFields = [...]struct {
	name string
	of   func(*Limits) *int64
}{
	{"cpu_ms", func(l *Limits) *int64 { return &l.CPU }},
	{"heap", func(l *Limits) *int64 { return &l.Heap }},
	{"stack", func(l *Limits) *int64 { return &l.Stack }},
	{"program", func(l *Limits) *int64 { return &l.Program }},
	{"result", func(l *Limits) *int64 { return &l.Result }},
	{"arguments", func(l *Limits) *int64 { return &l.Arguments }},
	{"call_result", func(l *Limits) *int64 { return &l.CallResult }},
	{"calls", func(l *Limits) *int64 { return &l.Calls }},
	{"concurrency", func(l *Limits) *int64 { return &l.Concurrency }},
	{"call_timeout_ms", func(l *Limits) *int64 { return &l.CallTimeout }},
	{"logs", func(l *Limits) *int64 { return &l.Logs }},
	{"emits", func(l *Limits) *int64 { return &l.Emits }},
}

// appendHeader appends a header's JSON.
func appendHeader(dst []byte, h *Header) ([]byte, error) {
	start := len(dst)
	if dst, ok := h.appendPlain(dst); ok {
		return dst, nil
	}
	// Names and messages may have <, > and & in them: nobody shows a header in
	// a page.
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(h); err != nil {
		return dst[:start], err
	}
	return append(dst[:start], bytes.TrimSpace(buf.Bytes())...), nil
}

// appendPlain writes a header all of whose fields are among those that the
// scanner reads, as encoding/json would. It reports false where one is not.
func (h *Header) appendPlain(dst []byte) ([]byte, bool) {
	if h.Error != nil || h.Done != 0 || h.Total != nil || h.Message != "" || h.Reason != "" || len(h.Warnings) > 0 ||
		h.Protocol != 0 || h.Engine != "" || h.EngineVersion != "" || len(h.Lockdown) > 0 || h.Timeout < 0 {
		return dst, false
	}
	ok := true
	dst = append(dst, `{"type":`...)
	dst = appendText(dst, string(h.Type), &ok)
	number := func(name string, n uint64) {
		if n != 0 {
			dst = strconv.AppendUint(append(dst, name...), n, 10)
		}
	}
	text := func(name, s string) {
		if s != "" {
			dst = appendText(append(dst, name...), s, &ok)
		}
	}
	number(`,"id":`, h.ID)
	number(`,"call":`, h.Call)
	text(`,"kind":`, string(h.Kind))
	text(`,"server":`, h.Server)
	text(`,"name":`, h.Name)
	number(`,"timeout_ms":`, uint64(h.Timeout))
	text(`,"form":`, string(h.Form))
	text(`,"level":`, h.Level)
	if h.Truncated {
		dst = append(dst, `,"truncated":true`...)
	}
	if h.Usage != nil {
		dst = h.Usage.append(append(dst, `,"usage":`...), &ok)
	}
	if h.Limits != nil {
		dst = h.Limits.append(append(dst, `,"limits":`...), &ok)
	}
	if len(h.Seed) > 0 {
		dst = append(dst, `,"seed":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, h.Seed)
		dst = append(dst, '"')
	}
	text(`,"catalog":`, h.Catalog)
	number(`,"generation":`, h.Generation)
	return append(dst, '}'), ok
}

// appendText quotes a string that needs no escapes; of another it clears ok.
func appendText(dst []byte, s string, ok *bool) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			*ok = false
			return dst
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func (u *Usage) append(dst []byte, ok *bool) []byte {
	o := objectWriter{dst: append(dst, '{'), ok: ok}
	o.number("cpu_us", u.CPU)
	o.number("heap_peak", u.HeapPeak)
	o.number("calls", u.Calls)
	return append(o.dst, '}')
}

func (l *Limits) append(dst []byte, ok *bool) []byte {
	o := objectWriter{dst: append(dst, '{'), ok: ok}
	for i := range limitFields {
		o.number(limitFields[i].name, *limitFields[i].of(l))
	}
	if l.Preview {
		o.name("preview")
		o.dst = append(o.dst, "true"...)
	}
	return append(o.dst, '}')
}

// objectWriter writes the fields of an object that are not zero.
type objectWriter struct {
	dst []byte
	any bool
	ok  *bool
}

func (o *objectWriter) name(name string) {
	if o.any {
		o.dst = append(o.dst, ',')
	}
	o.any = true
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

func (o *objectWriter) number(name string, n int64) {
	if n == 0 {
		return
	}
	if n < 0 {
		*o.ok = false
		return
	}
	o.name(name)
	o.dst = strconv.AppendInt(o.dst, n, 10)
}
