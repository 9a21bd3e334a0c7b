package autoclave_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/node"
	"github.com/autoclave-run/autoclave/internal/node/nodetest"
)

// v8 makes cfg one of the V8 engine. Where there is no Node.js to test with,
// the test is skipped.
func v8(t testing.TB, cfg autoclave.Config) autoclave.Config {
	t.Helper()
	cfg.Engine = autoclave.EngineV8
	cfg.Node.Path = nodetest.Find(t).Path
	return cfg
}

// v8List names the programs of the corpus that end otherwise on V8 than their
// first lines say, or cost their worker there.
const v8List = hostileDir + "/V8.md"

// otherwise is a row of v8List.
type otherwise struct {
	expect []string
	lost   bool
}

func readOtherwise(t *testing.T) map[string]otherwise {
	t.Helper()
	b, err := os.ReadFile(v8List)
	if err != nil {
		t.Fatal(err)
	}
	_, rows, ok := strings.Cut(string(b), "| --- | --- | --- | --- |\n")
	if !ok {
		t.Fatalf("%s has no table", v8List)
	}
	listed := map[string]otherwise{}
	for row := range strings.Lines(rows) {
		cells := strings.Split(row, "|")
		if len(cells) != 6 {
			t.Fatalf("%s: a row %q", v8List, row)
		}
		name := strings.Trim(cells[1], " `")
		if _, err := os.Stat(filepath.Join(hostileDir, name)); err != nil {
			t.Errorf("%s lists %s, which is not there", v8List, name)
		}
		listed[name] = otherwise{expect: strings.Split(strings.TrimSpace(cells[2]), " / "), lost: strings.TrimSpace(cells[3]) == "lost"}
	}
	return listed
}

// TestHostileV8 runs the corpus on V8: each program ends as its file or v8List
// says, and the next execution is served.
func TestHostileV8(t *testing.T) {
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
	listed := readOtherwise(t)
	// The isolates that are made meanwhile share the processors: an end that
	// is late is not one that does not come.
	cfg := v8(t, hostileConfig(3*time.Second))
	cfg.Pool.HealthCheckTimeout = 20 * time.Second
	var mu sync.Mutex
	lost := map[string]string{}
	const shards = 2
	t.Run("corpus", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				rt := open(t, cfg)
				for i, file := range files {
					if i%shards != shard {
						continue
					}
					p := readHostile(t, file)
					// Making the next isolate counts, where it falls into a
					// program's time.
					p.limits.CPU = min(2*p.limits.CPU, 5*time.Second) // what the configuration allows
					if o, ok := listed[p.name]; ok {
						p.expect = append(p.expect, o.expect...)
					}
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
	for name, how := range lost {
		// Newer versions of V8 collect for long before they give up memory.
		if listed[name].lost || raceEnabled || strings.HasPrefix(how, string(autoclave.HeapLimit)) {
			continue
		}
		t.Run("again/"+name, func(t *testing.T) {
			cfg.KillGrace = 15 * time.Second
			p := readHostile(t, filepath.Join(hostileDir, name))
			p.expect = append(p.expect, listed[name].expect...)
			if runHostile(t, open(t, cfg), p) != "" {
				t.Errorf("it cost its worker (%s), and %s does not say so", how, v8List)
			}
		})
	}
}

// TestEnginesSideBySide has one runtime with both: each program is run by the
// engine that it names, in a pool of its own.
func TestEnginesSideBySide(t *testing.T) {
	t.Parallel()
	cfg := autoclave.Config{Engines: []string{autoclave.EngineV8}, Node: autoclave.NodeConfig{Path: nodetest.Find(t).Path}}
	rt := open(t, cfg)
	seen := map[string]int{}
	for _, name := range []string{"", autoclave.EngineQuickJS, autoclave.EngineV8, autoclave.EngineV8} {
		res, err := rt.Execute(t.Context(), autoclave.Program{Source: "const n: number = 20; return n + 1", Engine: name}, patient)
		if err != nil || string(res.Value) != "21" {
			t.Fatalf("on %q: %s, %v", name, res.Value, err)
		}
		want := name
		if want == "" {
			want = autoclave.EngineQuickJS
		}
		if res.Worker.Engine != want {
			t.Errorf("a program for %q ran on %s", name, res.Worker.Engine)
		}
		seen[want] = res.Worker.PID
	}
	if stats := rt.EngineStats(); len(stats) != 2 || stats[autoclave.EngineV8].Spawned == 0 {
		t.Errorf("statistics %+v", stats)
	}
	_, err := rt.Execute(t.Context(), autoclave.Program{Source: "1", Engine: "spidermonkey"}, patient)
	if err == nil || !strings.Contains(err.Error(), "quickjs and v8") {
		t.Errorf("an engine that there is not: %v", err)
	}
	only := open(t, autoclave.Config{})
	if _, err := only.Execute(t.Context(), autoclave.Program{Source: "1", Engine: autoclave.EngineV8}, patient); err == nil {
		t.Error("an engine that the configuration does not allow ran a program")
	}
}

// TestNodeThatWillNotDo: Open says what is missing and what to do.
func TestNodeThatWillNotDo(t *testing.T) {
	t.Parallel()
	old := filepath.Join(t.TempDir(), "node")
	if err := os.WriteFile(old, []byte("#!/bin/sh\necho '{\"path\":\"/x/node\",\"version\":\"20.11.1\",\"v8\":\"11.3\",\"libraries\":[]}'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, says string }{
		{filepath.Join(t.TempDir(), "no-such-node"), "is not there"},
		{old, "is 20.11.1"},
		{"/bin/true", "does not answer"},
	} {
		_, err := autoclave.Open(t.Context(), native(t, autoclave.Config{Engine: autoclave.EngineV8, Node: autoclave.NodeConfig{Path: c.path}}))
		var typed *node.Error
		if !errors.As(err, &typed) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "nodejs.org") {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	if _, err := autoclave.Open(t.Context(), autoclave.Config{Engine: "v9"}); err == nil || !strings.Contains(err.Error(), "Config.Engine") {
		t.Errorf("an unknown engine: %v", err)
	}
}

// TestV8Models runs the model programs that need nothing but their own text on
// both engines: they come to the same.
func TestV8Intl(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker()}))
	res := execute(t, rt, `[new Intl.NumberFormat("de-DE", { style: "currency", currency: "EUR" }).format(1234.5),
		new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "Asia/Tokyo" }).format(new Date(0)),
		[..."zäa"].sort(new Intl.Collator("sv").compare).join(""), new Date(0).getTimezoneOffset()]`, patient)
	if got, want := string(res.Value), `["1.234,50 €","1 January 1970","azä",0]`; strings.ReplaceAll(got, "\u00a0", " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestV8Jitless: with it nothing is executable that was written, and the report
// says so.
func TestV8Jitless(t *testing.T) {
	t.Parallel()
	cfg := v8(t, autoclave.Config{Pool: oneWorker()})
	cfg.Node.Jitless = true
	if lockdown.Best() == lockdown.Strict {
		cfg.Lockdown.RequireLayers = []string{lockdown.LayerExecMemory}
	}
	res := execute(t, open(t, cfg), `let n = 0; for (let i = 0; i < 1e5; i++) n += i; return n + (await tools.s.t({ a: 1 })).a`, patient)
	if string(res.Value) != "4999950001" {
		t.Errorf("got %s", res.Value)
	}
	if lockdown.Best() == lockdown.Strict {
		cfg.Node.Jitless = false
		if _, err := autoclave.Open(t.Context(), native(t, cfg)); err == nil || !strings.Contains(err.Error(), "jitless") {
			t.Errorf("with a compiler, and exec_memory required: %v", err)
		}
	}
}

// TestV8HostCalls: calls, output and the end of a caller.
func TestV8HostCalls(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker()}))
	host := &recorder{Host: patient}
	res := execute(t, rt, `console.log("begin", { a: 1 });
		const one = await tools.s.t({ n: 1 });
		const more = await parallel([2, 3, 4].map((n) => () => callTool("s", "t", { n })));
		emit({ type: "text", text: "x" }); progress(1, 2, "half");
		return [one, ...more].map((x) => x.n);`, host)
	if string(res.Value) != "[1,2,3,4]" || len(host.logs) != 1 || len(host.emits) != 1 || len(host.progress) != 1 || len(res.Calls) != 4 {
		t.Errorf("got %s, %+v", res.Value, host)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := rt.Execute(ctx, autoclave.Program{Source: "for (;;) {}"}, patient)
	if !errors.Is(err, autoclave.Cancelled) && !errors.Is(err, autoclave.Timeout) {
		t.Errorf("a caller that gave up: %v after %v", err, time.Since(begun))
	}
	next := execute(t, rt, "1", patient)
	if next.Worker.PID != res.Worker.PID {
		t.Error("an endless loop cost its process, where ending its isolate would have done")
	}
}

// TestV8Waste: what a program has let go of does not end it, however much that
// was; what it holds does.
func TestV8Waste(t *testing.T) {
	t.Parallel()
	rows := twoMegabytes()
	data := autoclave.HostFunc(func(context.Context, autoclave.ToolCall) (autoclave.Value, error) {
		return autoclave.Value{JSON: rows}, nil
	})
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker(), Limits: autoclave.Limits{CPU: time.Minute}}))
	for _, c := range []struct {
		name, source, want string
		host               autoclave.Host
	}{
		{"answers", "let n = 0; for (let i = 0; i < 40; i++) n += (await tools.s.t()).length > 0; return n", "40", data},
		{"buffers", "let n = 0; for (let i = 0; i < 1600; i++) n += new Uint8Array(1 << 20).fill(1)[5]; return n", "1600", patient},
		{"buffers that are held", "const a = []; for (let i = 0; i < 1000; i++) a.push(new Uint8Array(1 << 20).fill(1)); return a.length", "", patient},
	} {
		res, err := rt.Execute(t.Context(), autoclave.Program{Source: c.source}, c.host)
		if c.want == "" {
			if !errors.Is(err, autoclave.HeapLimit) {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if err != nil || string(res.Value) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestV8SmallestHeap: in the smallest limit that is taken a program can run.
func TestV8SmallestHeap(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker(), Limits: autoclave.Limits{CPU: time.Minute}}))
	res, err := rt.Execute(t.Context(), autoclave.Program{Source: "1+1", Limits: autoclave.Limits{Heap: 2 << 20}}, patient)
	if err != nil || string(res.Value) != "2" {
		t.Errorf("got %v", err)
	}
}

// TestV8Lockdown: the level is the machine's best, and the report says in what
// it is weaker.
func TestV8Lockdown(t *testing.T) {
	t.Parallel()
	rt := open(t, v8(t, autoclave.Config{Pool: oneWorker()}))
	res := execute(t, rt, "1", patient)
	if want := string(lockdown.Best()); res.Worker.Lockdown != want {
		t.Errorf("the level is %s, the machine's best is %s", res.Worker.Lockdown, want)
	}
	if _, err := json.Marshal(res); err != nil {
		t.Error(err)
	}
}
