package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// maxLine bounds a line that is read, in bytes: the text of a program and a
// hundred calls with long errors fit.
const maxLine = 32 << 20

// LineError says what is wrong with a line.
type LineError struct {
	Line int // 1-based
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Read returns the records of a file. A line that is no record is a *LineError,
// after which it goes on with the next; any other error is that of reading, and
// the last.
func Read(r io.Reader) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		br := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			line, err := readLine(br)
			if errors.Is(err, io.EOF) {
				return
			}
			if errors.Is(err, errLong) {
				if !yield(nil, &LineError{n, err}) {
					return
				}
				continue
			}
			if err != nil {
				yield(nil, fmt.Errorf("reading the audit: %w", err))
				return
			}
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			rec := new(Record)
			if err := json.Unmarshal(line, rec); err != nil {
				if !yield(nil, &LineError{n, fmt.Errorf("it is no record: %w", err)}) {
					return
				}
				continue
			}
			if rec.V < 1 || rec.V > Version {
				if !yield(nil, &LineError{n, fmt.Errorf("its version is %d, and only %d is known", rec.V, Version)}) {
					return
				}
				continue
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

var errLong = fmt.Errorf("it has more than %d bytes", maxLine)

// readLine returns the next line without its end. io.EOF comes alone.
func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := br.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(line) == 0 && !long):
			return nil, err
		case long:
			return nil, errLong
		}
		return bytes.TrimSuffix(line, []byte("\n")), nil
	}
}

// Filter chooses records. A zero field chooses all.
type Filter struct {
	Since, Until time.Time // Until is not included
	Session      string    // its name, its hash, or the beginning of the hash
	Tenant       string
	// Program is a hash, or the beginning of one, with or without "sha256:".
	Program string
	// Failed chooses executions that failed, and those with a call that did.
	Failed bool
	// Code is that of the execution or of one of its calls.
	Code string
	// Server, Tool and Decision choose records with a call of which all that
	// are set are true.
	Server, Tool, Decision string
}

// isSession reports whether session is the record's, by name, by hash, or by the
// beginning of the hash.
func (r *Record) isSession(session string) bool {
	return r.Name == session || r.Session == session || strings.HasPrefix(session, "sha256:") && strings.HasPrefix(r.Session, session)
}

// Match reports whether the filter chooses the record. One that says that
// others were dropped is always chosen, unless it is of another time.
func (f *Filter) Match(r *Record) bool {
	if !f.Since.IsZero() && r.Time.Before(f.Since) || !f.Until.IsZero() && !r.Time.Before(f.Until) {
		return false
	}
	if r.Dropped > 0 {
		return true
	}
	const scheme = "sha256:"
	if f.Session != "" && !r.isSession(f.Session) || f.Tenant != "" && r.Tenant != f.Tenant ||
		!strings.HasPrefix(strings.TrimPrefix(r.Program.Hash, scheme), strings.TrimPrefix(f.Program, scheme)) {
		return false
	}
	failed, code := !r.OK, string(r.Code) == f.Code
	call := false
	for i := range r.Calls {
		c := &r.Calls[i]
		failed = failed || !c.OK
		code = code || string(c.Code) == f.Code
		call = call || (f.Server == "" || c.Server == f.Server) && (f.Tool == "" || c.Tool == f.Tool) && (f.Decision == "" || c.Decision == f.Decision)
	}
	return (!f.Failed || failed) && (f.Code == "" || code) && (f.Server+f.Tool+f.Decision == "" || call)
}
