package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/autoclave-run/autoclave"
)

// Version is that of the records' form. Fields may be added to it; what a field
// means does not change.
const Version = 1

// Record is what is kept of one execution.
type Record struct {
	// V is Version; Write sets it.
	V int `json:"v"`
	// Time is when the execution was asked for.
	Time time.Time `json:"time"`
	// ID names the execution, as logs do. See NewID.
	ID string `json:"id,omitempty"`
	// Session tells sessions apart. Name is a session name that came with the
	// program.
	Session string `json:"session,omitempty"`
	Name    string `json:"session_name,omitempty"`
	// Tenant is on whose behalf it ran: the principal.
	Tenant string `json:"tenant,omitempty"`

	Program Program `json:"program"`
	// OK says that the execution had a value; else Code and Error say why not.
	OK    bool           `json:"ok"`
	Code  autoclave.Code `json:"code,omitempty"`
	Error string         `json:"error,omitempty"`
	// Limits are the limits that were met, by the program or by one of its
	// calls, also where the program went on.
	Limits []autoclave.Code `json:"limits,omitempty"`
	// Labels are the strict groups that it received data of.
	Labels []string `json:"labels,omitempty"`

	Calls []Call `json:"calls,omitempty"`
	// CallsOmitted is how many calls there were that Calls has not, because
	// they were too many for one record.
	CallsOmitted int `json:"calls_omitted,omitempty"`

	Usage  autoclave.Usage       `json:"usage"`
	Worker *autoclave.WorkerInfo `json:"worker,omitempty"`

	// Dropped is set in a record of its own kind, which says how many were
	// lost before it; of the rest only V and Time are set then.
	Dropped uint64 `json:"dropped,omitempty"`
}

// Program is what ran.
type Program struct {
	// Hash is that of the source, as Hash makes it.
	Hash  string `json:"hash"`
	Bytes int    `json:"bytes"`
	// Text is the source, where the configuration says so.
	Text string `json:"text,omitempty"`
}

// Call is one host call, also one that was refused.
type Call struct {
	// Kind is empty for a tool, else "resource.read", "stash.get" and so on;
	// Tool is the URI, the key or the query then.
	Kind   string `json:"kind,omitempty"`
	Server string `json:"server,omitempty"`
	Tool   string `json:"tool,omitempty"`
	// Arguments is the hash of the arguments' JSON as the program sent it.
	// Who can guess the arguments can tell that he guessed right.
	Arguments string `json:"arguments,omitempty"`
	// Decision is what the policy said: allow, ask or deny. Rule is the rule
	// that said so; empty: a default.
	Decision string `json:"decision,omitempty"`
	Rule     string `json:"rule,omitempty"`
	// Approval is what came of asking: "once", "execution", "session" or
	// "refused", or why nobody was asked.
	Approval string `json:"approval,omitempty"`
	OK       bool   `json:"ok"`
	// Code and Error say why not. Error is the full text, not the redacted
	// one that the model saw.
	Code  autoclave.Code `json:"code,omitempty"`
	Error string         `json:"error,omitempty"`
	// Start is when the call was made, after the record's Time, Millis how
	// long it took, both in milliseconds.
	Start  float64 `json:"start_ms"`
	Millis float64 `json:"ms"`
	// BytesOut is the size of the arguments, BytesIn that of the result.
	BytesOut int `json:"bytes_out"`
	BytesIn  int `json:"bytes_in"`
}

// NewID returns a name for an execution: 16 hexadecimal digits, by chance, so
// that the records of several processes can be put together.
func NewID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it does not fail
	return hex.EncodeToString(b[:])
}

// Hash returns the hash by which records name a text: "sha256:" and 64
// hexadecimal digits.
func Hash[T ~string | ~[]byte](text T) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// maxText bounds each text that an upstream or a program can make as long as it
// likes, in bytes.
const maxText = 64 << 10

// cut shortens a text and says so.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes more)", s[:end], len(s)-end)
}

// line returns the record as a line of JSON.
func (r *Record) line() ([]byte, error) {
	c := *r
	c.V = Version
	c.Time = c.Time.UTC()
	c.Error = cut(c.Error)
	c.Calls = make([]Call, len(r.Calls))
	for i, call := range r.Calls {
		call.Tool, call.Server, call.Error = cut(call.Tool), cut(call.Server), cut(call.Error)
		c.Calls[i] = call
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // it ends with a line break
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&c); err != nil {
		return nil, fmt.Errorf("encoding an audit record: %w", err)
	}
	return b.Bytes(), nil
}
