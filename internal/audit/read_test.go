package audit_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/audit"
)

func TestRead(t *testing.T) {
	const ok = `{"v":1,"time":"2026-01-02T03:04:05Z","id":"1","program":{"hash":"h","bytes":1},"ok":true,"usage":{}}`
	for name, tt := range map[string]struct {
		text string
		recs int
		bad  []string
	}{
		"nothing":     {"", 0, nil},
		"one":         {ok + "\n", 1, nil},
		"no end":      {ok, 1, nil},
		"empty lines": {"\n" + ok + "\n\r\n" + ok + "\n", 2, nil},
		"garbage":     {ok + "\nxyz\n" + ok, 2, []string{"line 2: it is no record"}},
		"new fields":  {strings.Replace(ok, `"v"`, `"x":{},"v"`, 1), 1, nil},
		"newer":       {strings.Replace(ok, `"v":1`, `"v":2`, 1) + "\n" + ok, 1, []string{"line 1: its version is 2"}},
		"older":       {`{}`, 0, []string{"its version is 0"}},
		"array":       {`[]`, 0, []string{"no record"}},
		"long":        {ok + "\n\"" + strings.Repeat("x", 33<<20) + "\"\n" + ok, 2, []string{"line 2: it has more than"}},
		"long, last":  {ok + "\n" + strings.Repeat("x", 33<<20), 1, []string{"line 2: it has more than"}},
	} {
		t.Run(name, func(t *testing.T) {
			recs, bad := readAll(t, tt.text)
			if len(recs) != tt.recs || len(bad) != len(tt.bad) {
				t.Fatalf("%d records and %v", len(recs), bad)
			}
			for i, want := range tt.bad {
				if !strings.Contains(bad[i].Error(), want) {
					t.Errorf("%v, want %s", bad[i], want)
				}
			}
		})
	}
	broken := errors.New("broken")
	var last error
	for _, err := range audit.Read(iotest.ErrReader(broken)) {
		last = err
	}
	if !errors.Is(last, broken) {
		t.Errorf("a broken reader: %v", last)
	}
	for range audit.Read(strings.NewReader(ok + "\n" + ok)) {
		break // it must bear that
	}
}

func TestFilter(t *testing.T) {
	r := sample("1")
	fine := sample("2")
	fine.OK, fine.Code, fine.Calls = true, "", fine.Calls[:1]
	gap := &audit.Record{V: 1, Time: noon, Dropped: 3}
	for name, tt := range map[string]struct {
		f              audit.Filter
		bad, good, gap bool
	}{
		"all":             {audit.Filter{}, true, true, true},
		"since":           {audit.Filter{Since: noon}, true, true, true},
		"since later":     {audit.Filter{Since: noon.Add(1)}, false, false, false},
		"until":           {audit.Filter{Until: noon}, false, false, false},
		"until later":     {audit.Filter{Until: noon.Add(1)}, true, true, true},
		"session":         {audit.Filter{Session: "s1"}, true, true, true},
		"another session": {audit.Filter{Session: "s"}, false, false, true},
		"tenant":          {audit.Filter{Tenant: "bob"}, false, false, true},
		"program":         {audit.Filter{Program: audit.Hash("1+1")}, true, true, true},
		"program, short":  {audit.Filter{Program: audit.Hash("1+1")[7:15]}, true, true, true},
		"another program": {audit.Filter{Program: "zz"}, false, false, true},
		"failed":          {audit.Filter{Failed: true}, true, false, true},
		"code":            {audit.Filter{Code: "SCRIPT_ERROR"}, true, false, true},
		"code of a call":  {audit.Filter{Code: "POLICY_DENIED"}, true, false, true},
		"server":          {audit.Filter{Server: "tracker"}, true, true, true},
		"tool":            {audit.Filter{Tool: "delete"}, true, false, true},
		"decision":        {audit.Filter{Decision: "deny"}, true, false, true},
		"one call":        {audit.Filter{Decision: "deny", Tool: "list_issues"}, false, false, true},
	} {
		if tt.f.Match(r) != tt.bad || tt.f.Match(fine) != tt.good || tt.f.Match(gap) != tt.gap {
			t.Errorf("%s: %v, %v, %v; want %v, %v, %v", name, tt.f.Match(r), tt.f.Match(fine), tt.f.Match(gap), tt.bad, tt.good, tt.gap)
		}
	}
}

func TestPrint(t *testing.T) {
	r := sample("1")
	r.Calls[1].Tool = "evil\x1b[2J\u202e\n\xff"
	r.Program.Text = "a\n\x07b"
	var out bytes.Buffer
	p := audit.Printer{Text: true, Location: noon.Location()}
	for _, rec := range []*audit.Record{r, {Time: noon, Dropped: 3}} {
		if err := p.Print(&out, rec); err != nil {
			t.Fatal(err)
		}
	}
	want := `2026-03-01 12:00:00.005 +01:00  SCRIPT_ERROR  1.5 ms  program sha256:` + audit.Hash("1+1")[7:19] + ` (3 bytes)  id 1  tenant alice  session s1
    cpu 1.0 ms, heap 3.0 MiB, 3 calls, quickjs worker 7, generation 2, lockdown strict, met CALL_LIMIT, has data of internal
    a\nb <&> \u2028
    tracker.list_issues                     allow  ok  2.2 ms  2 bytes out, 100 in
    tracker."evil\x1b[2J\u202e\n\xff"  deny by no deleting  POLICY_DENIED  0.0 ms  0 bytes out, 0 in
        no
    stash.get k                             ok  0.0 ms  0 bytes out, 0 in
    | a
    | \ab
2026-03-01 12:00:00.005 +01:00  3 records before this were dropped
`
	got := out.String()
	if pad := func(s string) string { return strings.Join(strings.Fields(s), " ") }; pad(got) != pad(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, bad := range []string{"\x1b", "\x07", "\xff", "\u202e"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q came through: %q", bad, got)
		}
	}
}

// TestPrintNames: what looks like another name, or like more than a name, is seen
// to be one.
func TestPrintNames(t *testing.T) {
	for _, tt := range []struct {
		call audit.Call
		want string
	}{
		{audit.Call{Server: "tracker", Tool: "list-issues_2.0"}, "tracker.list-issues_2.0"},
		{audit.Call{Server: "tr\u0430cker", Tool: "list"}, `"tr\u0430cker".list`},
		{audit.Call{Server: "tracker", Tool: "list "}, `tracker."list "`},
		{audit.Call{Server: "tracker", Tool: "list  allow  ok"}, `tracker."list  allow  ok"`},
		{audit.Call{Server: "tracker", Tool: `"list"`}, `tracker."\"list\""`},
		{audit.Call{Server: "", Tool: "list"}, `"".list`},
		{audit.Call{Kind: "resource.read", Server: "files ", Tool: "file:///a?b=c#d"}, `resource.read "files " file:///a?b=c#d`},
		{audit.Call{Kind: "resource.read", Server: "files", Tool: "file:///\u0430"}, `resource.read files "file:///\u0430"`},
		{audit.Call{Kind: "stash.get", Tool: "a key"}, `stash.get "a key"`},
		{audit.Call{Kind: "stash.keys"}, "stash.keys"},
	} {
		var out bytes.Buffer
		r := sample("1")
		r.Calls = []audit.Call{tt.call}
		if err := (audit.Printer{}).Print(&out, r); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "\n    "+tt.want+"  ") {
			t.Errorf("%+v: want %s in\n%s", tt.call, tt.want, out.String())
		}
	}
	var out bytes.Buffer
	r := sample("1")
	r.Name, r.Tenant, r.CallsOmitted = "work  tenant root", "alice@example.org", 12
	if err := (audit.Printer{}).Print(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`  tenant alice@example.org  `, `  named "work  tenant root"`, "\n    and 12 calls more, which the record has not\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, out.String())
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"v":1,"time":"2026-01-02T03:04:05Z","calls":[{"tool":"x"}],"usage":{"run_us":1}}` + "\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for r, err := range audit.Read(bytes.NewReader(data)) {
			if (r == nil) == (err == nil) {
				t.Fatalf("%v and %v", r, err)
			}
			if err != nil {
				continue
			}
			(&audit.Filter{Failed: true, Code: string(autoclave.Timeout), Since: time.Unix(0, 0)}).Match(r)
			var out bytes.Buffer
			if err := (audit.Printer{Text: true}).Print(&out, r); err != nil {
				t.Fatal(err)
			}
			for _, c := range out.String() {
				if c < ' ' && c != '\n' {
					t.Fatalf("a control character in %q", out.String())
				}
			}
		}
	})
}
