package audit

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Printer writes records for people to read.
type Printer struct {
	// Text prints the text of programs, where the record has it.
	Text bool
	// Location is the zone of times. Nil: UTC.
	Location *time.Location
}

// Print writes the record: a line for the execution, one for each call.
// Whatever a program or a server can choose is printed without control
// characters, so that it cannot play with the terminal; names are printed so
// that one cannot pass for another.
func (p Printer) Print(w io.Writer, r *Record) error {
	b := bufio.NewWriter(w)
	zone := p.Location
	if zone == nil {
		zone = time.UTC
	}
	at := r.Time.In(zone).Format("2006-01-02 15:04:05.000 Z07:00")
	if r.Dropped > 0 {
		fmt.Fprintf(b, "%s  %d records before this were dropped\n", at, r.Dropped)
		return b.Flush()
	}
	outcome := "ok"
	if !r.OK {
		outcome = plain(string(r.Code))
	}
	hash := plain(r.Program.Hash)
	fmt.Fprintf(b, "%s  %s  %s  program %s (%d bytes)", at, outcome, millis(r.Usage.Run.Seconds()*1000), hash[:min(len(hash), len("sha256:")+12)], r.Program.Bytes)
	for _, f := range []struct{ name, value string }{{"id", r.ID}, {"tenant", r.Tenant}, {"session", r.Session}, {"named", r.Name}} {
		if f.value != "" {
			fmt.Fprintf(b, "  %s %s", f.name, word(f.value))
		}
	}
	b.WriteByte('\n')
	fmt.Fprintf(b, "    cpu %s, heap %s, %d calls", millis(r.Usage.CPU.Seconds()*1000), size(r.Usage.HeapPeak), r.Usage.Calls)
	if k := r.Worker; k != nil {
		fmt.Fprintf(b, ", %s worker %d, generation %d, lockdown %s", plain(k.Engine), k.PID, k.Generation, plain(k.Lockdown))
	}
	if len(r.Limits) > 0 {
		b.WriteString(", met")
		for _, l := range r.Limits {
			b.WriteString(" " + plain(string(l)))
		}
	}
	if len(r.Labels) > 0 {
		b.WriteString(", has data of " + plain(strings.Join(r.Labels, ", ")))
	}
	b.WriteByte('\n')
	if r.Error != "" {
		fmt.Fprintf(b, "    %s\n", plain(r.Error))
	}
	p.calls(b, r.Calls)
	if r.CallsOmitted > 0 {
		fmt.Fprintf(b, "    and %d calls more, which the record has not\n", r.CallsOmitted)
	}
	if p.Text && r.Program.Text != "" {
		for line := range strings.Lines(r.Program.Text) {
			fmt.Fprintf(b, "    | %s\n", plain(strings.TrimRight(line, "\r\n")))
		}
	}
	return b.Flush()
}

func (p Printer) calls(b *bufio.Writer, calls []Call) {
	widest := 0
	for i := range calls {
		widest = max(widest, min(len(calls[i].name()), 40))
	}
	for i := range calls {
		c := &calls[i]
		name := c.name()
		fmt.Fprintf(b, "    %s%s", name, strings.Repeat(" ", max(0, widest-len(name))))
		if c.Decision != "" {
			fmt.Fprintf(b, "  %s", plain(c.Decision))
			if c.Rule != "" {
				fmt.Fprintf(b, " by %s", plain(c.Rule))
			}
			if c.Approval != "" {
				fmt.Fprintf(b, " (%s)", plain(c.Approval))
			}
		}
		outcome := "ok"
		if !c.OK {
			outcome = plain(string(c.Code))
		}
		fmt.Fprintf(b, "  %s  %s  %d bytes out, %d in\n", outcome, millis(c.Millis), c.BytesOut, c.BytesIn)
		if c.Error != "" {
			fmt.Fprintf(b, "        %s\n", plain(c.Error))
		}
	}
}

// name is how the call is called in texts, in ASCII.
func (c *Call) name() string {
	if c.Kind == "" {
		return identifier(c.Server) + "." + identifier(c.Tool)
	}
	name := word(c.Kind)
	if c.Server != "" {
		name += " " + identifier(c.Server)
	}
	if c.Tool != "" {
		name += " " + word(c.Tool)
	}
	return name
}

// identifier returns the name of a server or a tool, in quotes and in ASCII
// unless it has nothing but letters, digits and . _ - in it: a letter of another
// script looks like one of ours, and a space at the end like none.
func identifier(s string) string {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return strconv.QuoteToASCII(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

// word returns what may have other characters too, a URI say, in quotes unless
// it is one word of visible ASCII.
func word(s string) string {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return strconv.QuoteToASCII(s)
		}
	}
	return s
}

func millis(ms float64) string { return strconv.FormatFloat(ms, 'f', 1, 64) + " ms" }

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// plain returns s with what is not printable written as escapes: control
// characters, and those that change the direction of the text or are not seen.
func plain(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}
