package autoclave_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// The corpus of hostile programs, testdata/hostile, is one file a program. Its
// first line says how it must end:
//
//	// expect: CPU_LIMIT|HEAP_LIMIT|value: 1
//
// Codes and values are separated by |; any of them will do. A second line may
// change the limits:
//
//	// limits: cpu=300ms heap=64MiB wall=2s calls=20 call=300ms
//
// and «text»*N stands for N times the text.
const hostileDir = "testdata/hostile"

// killedList names the programs that end with the process rather than with the
// engine: from where they are, it does not look up.
const killedList = hostileDir + "/KILLED.md"

var updateKilled = flag.Bool("update-killed", false, "write testdata/hostile/KILLED.md anew")

type hostileProgram struct {
	name   string
	source string
	expect []string
	limits autoclave.Limits
}

var repetition = regexp.MustCompile(`«([^»]*)»\*(\d+)`)

func readHostile(t *testing.T, path string) hostileProgram {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := hostileProgram{
		name: filepath.Base(path),
		// The engine's word for what it met must come before the host's, so
		// that the list of those killed is of those that do not look up.
		limits: autoclave.Limits{CPU: 200 * time.Millisecond, Wall: 10 * time.Second, Heap: 32 << 20},
	}
	p.source = repetition.ReplaceAllStringFunc(string(raw), func(m string) string {
		parts := repetition.FindStringSubmatch(m)
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			t.Fatalf("%s: %s: %v", p.name, m, err)
		}
		return strings.Repeat(parts[1], n)
	})
	lines := strings.SplitN(string(raw), "\n", 3)
	expect, ok := strings.CutPrefix(lines[0], "// expect: ")
	if !ok {
		t.Fatalf("%s: the first line does not say what to expect", p.name)
	}
	p.expect = strings.Split(expect, "|")
	if len(lines) > 1 {
		if limits, ok := strings.CutPrefix(lines[1], "// limits: "); ok {
			p.setLimits(t, limits)
		}
	}
	return p
}

func (p *hostileProgram) setLimits(t *testing.T, text string) {
	t.Helper()
	for _, f := range strings.Fields(text) {
		key, value, _ := strings.Cut(f, "=")
		duration, notTime := time.ParseDuration(value)
		number, notNumber := strconv.Atoi(strings.TrimSuffix(value, "MiB"))
		err := notNumber
		switch key {
		case "cpu":
			p.limits.CPU, err = duration, notTime
		case "wall":
			p.limits.Wall, err = duration, notTime
		case "call":
			p.limits.CallTimeout, err = duration, notTime
		case "heap":
			p.limits.Heap = int64(number) << 20
		case "calls":
			p.limits.Calls = number
		default:
			err = errors.New("there is no such limit")
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", p.name, f, err)
		}
	}
}

// meets reports whether an outcome is one that was expected.
func (p *hostileProgram) meets(res *autoclave.Result) bool {
	return slices.ContainsFunc(p.expect, func(want string) bool {
		if value, ok := strings.CutPrefix(want, "value: "); ok {
			return res.Error == nil && compactJSON(string(res.Value)) == compactJSON(value)
		}
		return res.Error != nil && string(res.Error.Code) == want
	})
}

func compactJSON(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return s
	}
	return string(b)
}

// temptation is the host of hostile programs.
var temptation = autoclave.HostFunc(func(ctx context.Context, c autoclave.ToolCall) (autoclave.Value, error) {
	switch c.Tool {
	case "fail":
		return autoclave.Value{MCP: true, JSON: json.RawMessage(`{"isError":true,"content":[{"type":"text","text":"as you wish"}]}`)}, nil
	case "evil":
		return autoclave.Value{JSON: json.RawMessage(`{"__proto__":{"admin":true},"constructor":1,"a":2}`)}, nil
	}
	return patient(ctx, c)
})

// TestHostile runs the corpus in workers that are locked down as far as this
// machine can: each program ends as its file says, and the next execution is
// served. Which programs cost their worker is compared with KILLED.md.
func TestHostile(t *testing.T) {
	files, err := filepath.Glob(hostileDir + "/*.[jt]s")
	if err != nil || len(files) < 80 {
		t.Fatalf("%d programs, %v", len(files), err)
	}
	if raceEnabled || testing.Short() {
		var some []string
		for i := 0; i < len(files); i += 12 {
			some = append(some, files[i])
		}
		files = some
	}
	listed := readKilled(t)
	var mu sync.Mutex
	lost := map[string]string{}
	const shards = 2
	t.Run("corpus", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				rt := openHostile(t, 500*time.Millisecond)
				for i, file := range files {
					if i%shards != shard {
						continue
					}
					p := readHostile(t, file)
					t.Run(p.name, func(t *testing.T) {
						if how := runHostile(t, rt, p); how != "" {
							mu.Lock()
							defer mu.Unlock()
							lost[p.name] = how
						}
					})
				}
			})
		}
	})
	if *updateKilled {
		writeKilled(t, lost)
		return
	}
	for name, how := range lost {
		if _, ok := listed[name]; ok || raceEnabled {
			continue
		}
		// A busy machine makes slow programs late. Only one that does not end
		// with all the time there is has to be killed.
		t.Run("again/"+name, func(t *testing.T) {
			if runHostile(t, openHostile(t, 15*time.Second), readHostile(t, filepath.Join(hostileDir, name))) != "" {
				t.Errorf("it cost its worker (%s), and is not in %s: say so there, or make the engine end it", how, killedList)
			}
		})
	}
	for name := range listed {
		if _, err := os.Stat(filepath.Join(hostileDir, name)); err != nil {
			t.Errorf("%s lists %s, which is not there", killedList, name)
		}
	}
}

// openHostile opens a runtime of one worker that is replaced for no other
// reason than its death.
func openHostile(t *testing.T, grace time.Duration) *autoclave.Runtime {
	t.Helper()
	return open(t, hostileConfig(grace))
}

func hostileConfig(grace time.Duration) autoclave.Config {
	return autoclave.Config{
		KillGrace: grace,
		Pool: autoclave.PoolConfig{
			MinWorkers: 1, MinIdle: -1, MaxWorkers: 1, MaxUses: -1, MaxLifetime: -1, MaxWorkerMemory: -1,
			HealthCheckTimeout: time.Second, SpawnTimeout: time.Minute,
		},
	}
}

// runHostile returns how the worker ended, where it did.
func runHostile(t *testing.T, rt *autoclave.Runtime, p hostileProgram) (how string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	begun := time.Now()
	res, err := rt.Execute(ctx, autoclave.Program{Source: p.source, Limits: p.limits}, temptation)
	took := time.Since(begun)
	var typed *autoclave.Error
	if err != nil && !errors.As(err, &typed) {
		t.Fatalf("an error without a type: %v", err)
	}
	if !p.meets(res) && !raceEnabled {
		t.Errorf("got %.300s, %.600v\nwant %s", res.Value, err, strings.Join(p.expect, " or "))
	}
	// A loose ceiling: what a hang would be above. The limit, the grace, and
	// much for a machine that does other things.
	if ceiling := p.limits.Wall + 30*time.Second; took > ceiling {
		t.Errorf("it took %v", took)
	}
	if err := wellFormed(res); err != nil {
		t.Error(err)
	}
	next := execute(t, rt, "1 + 1", patient)
	if string(next.Value) != "2" {
		t.Errorf("the next execution has %s", next.Value)
	}
	if lockdown.Best() == lockdown.Strict && next.Worker.Lockdown != string(lockdown.Strict) {
		t.Errorf("the worker's lockdown is %s", next.Worker.Lockdown)
	}
	if res.Worker != nil && res.Worker.PID != next.Worker.PID {
		how = "died"
		if typed != nil {
			how = string(typed.Code)
			if cause, _, _ := strings.Cut(typed.Cause, ":"); cause != "" {
				how += ", " + cause
			}
		}
		awaitDeath(t, res.Worker.PID)
	}
	if testing.Verbose() {
		t.Logf("%v, cpu %v, heap %d: %.200v %s", took.Round(time.Millisecond), res.Usage.CPU.Round(time.Millisecond), res.Usage.HeapPeak, err, how)
	}
	return how
}

// wellFormed holds whatever a hostile program made of its result to what
// callers rely on.
func wellFormed(res *autoclave.Result) error {
	b, err := json.Marshal(res)
	if err != nil {
		return fmt.Errorf("the result cannot be marshalled: %w", err)
	}
	if limit := 4 << 20; len(b)-len(res.Emits)*2 > limit+emitted(res) {
		return fmt.Errorf("the result is %d bytes", len(b))
	}
	if e := res.Error; e != nil {
		if e.Message == "" || len(e.Message) > 64<<10 || len(e.Stack) > 64<<10 || len(e.Frame) > 4<<10 {
			return fmt.Errorf("an error with a message of %d bytes, a stack of %d, a frame of %d", len(e.Message), len(e.Stack), len(e.Frame))
		}
		if e.Line < 0 || e.Column < 0 || e.Blame() == autoclave.BlameOurs && e.Code != autoclave.WorkerCrashed {
			return fmt.Errorf("an error at %d:%d that blames %s: %s", e.Line, e.Column, e.Blame(), e.Message)
		}
	}
	return nil
}

func emitted(res *autoclave.Result) int {
	n := 0
	for _, b := range res.Emits {
		n += len(b)
	}
	return n
}

const killedHead = `# Programs that cost their worker

Each of these ends with its process, not by the engine: from where it is, the
engine does not look at its interrupt flag, so the host kills the process when
the limit and the grace have passed. Its caller gets the code below, and nobody
else notices. The test fails on a program that costs its worker and is not
here, and tolerates one that is here and does not: whether a native finishes
within the grace depends on the machine.

Written by ` + "`go test -run TestHostile -update-killed .`" + `

| program | what its caller is told |
| --- | --- |
`

func readKilled(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile(killedList)
	if err != nil {
		if *updateKilled {
			return nil
		}
		t.Fatal(err)
	}
	_, rows, ok := strings.Cut(string(b), "| --- | --- |\n")
	if !ok {
		t.Fatalf("%s has no table", killedList)
	}
	listed := map[string]string{}
	for row := range strings.Lines(rows) {
		cells := strings.Split(row, "|")
		if len(cells) < 4 {
			t.Fatalf("%s: a row %q", killedList, row)
		}
		listed[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[2])
	}
	return listed
}

func writeKilled(t *testing.T, lost map[string]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(killedHead)
	names := make([]string, 0, len(lost))
	for name := range lost {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.ReplaceAll(lost[name], "|", "/"))
	}
	if err := os.WriteFile(killedList, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
