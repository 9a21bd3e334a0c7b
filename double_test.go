package autoclave_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/wire"
)

// The doubles are workers that do not do what they should. A double is this
// test binary under another name: the name says what it does.
const doublePrefix = "double-"

func TestMain(m *testing.M) {
	if exe, err := os.Executable(); err == nil {
		if name, ok := strings.CutPrefix(filepath.Base(exe), doublePrefix); ok {
			runDouble(strings.TrimSuffix(name, ".exe"), filepath.Dir(exe))
		}
	}
	if len(os.Args) == 2 && os.Args[1] == echoArgument {
		echo()
	}
	if len(os.Args) == 2 && os.Args[1] == forgetfulArgument {
		_, err := autoclave.Open(context.Background(), autoclave.Config{})
		fmt.Println(err)
		os.Exit(0)
	}
	autoclave.ServeIfWorker()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if dir := nativeDir; dir != "" {
			os.RemoveAll(dir)
		}
		os.Exit(status)
	}))
}

// forgetfulArgument makes the test binary a program that has forgotten
// ServeIfWorker.
const forgetfulArgument = "forget-to-serve"

// echoArgument makes the test binary answer each byte on standard input with
// one on standard output: the other end of the benchmarks' baseline.
const echoArgument = "echo-for-the-baseline"

func echo() {
	b := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(b); err != nil {
			os.Exit(0)
		}
		if _, err := os.Stdout.Write(b); err != nil {
			os.Exit(0)
		}
	}
}

// nativeDir is where nativeWorker has put its binary.
var nativeDir string

// nativeWorker builds the command without the race detector, once. Under the
// detector the engine is some 45 times slower, and limits on time would be met
// by everything: what is to be raced is the host.
var nativeWorker = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "autoclave-native-")
	if err != nil {
		return "", err
	}
	nativeDir = dir
	// Workers may have another user id.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "autoclave")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/autoclave")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building a worker without the race detector: %w\n%s", err, out)
	}
	return path, nil
})

// native makes the workers of cfg run without the race detector, where this
// binary has it.
func native(t testing.TB, cfg autoclave.Config) autoclave.Config {
	t.Helper()
	if !raceEnabled || cfg.WorkerPath() != "" {
		return cfg
	}
	path, err := nativeWorker()
	if err != nil {
		t.Fatal(err)
	}
	cfg.SetWorkerPath(path)
	return cfg
}

// doublePath links the test binary under the double's name, in a directory of
// the test's own.
func doublePath(t *testing.T, name string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("doubles are links to the test binary, which are found again through /proc")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), doublePrefix+name)
	if err := os.Link(exe, path); err != nil {
		raw, err := os.ReadFile(exe)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// double is the inside of a misbehaving worker.
type double struct {
	dir  string
	in   *wire.Reader
	out  *wire.Writer
	id   uint64 // of the execution under way
	body []byte // its program
}

func runDouble(name, dir string) {
	boot := os.NewFile(3, "boot")
	_, _ = io.Copy(io.Discard, boot)
	boot.Close()
	d := &double{dir: dir, in: wire.NewReader(os.Stdin, 64<<20), out: wire.NewWriter(os.Stdout, 256<<20)}
	behave, ok := doubles[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no double is called", name)
		os.Exit(3)
	}
	behave(d)
	os.Exit(0)
}

func (d *double) send(h wire.Header, body string) {
	if err := d.out.Write(&h, []byte(body)); err != nil {
		os.Exit(4)
	}
}

func (d *double) raw(b []byte) { _, _ = os.Stdout.Write(b) }

// await reads until a message of the type comes. The end of the input ends the
// double, as it would a worker.
func (d *double) await(t wire.Type) *wire.Header {
	for {
		h, body, err := d.in.Next()
		if errors.Is(err, io.EOF) {
			os.Exit(0)
		}
		if err != nil {
			os.Exit(5)
		}
		if h.Type == t {
			if t == wire.TypeExecute {
				d.id, d.body = h.ID, body
			}
			return h
		}
	}
}

func (d *double) hello() {
	d.send(wire.Header{Type: wire.TypeHello, Protocol: wire.Version, Engine: "double", Lockdown: []byte(`{"level":"none","layers":[]}`)}, "")
	d.send(wire.Header{Type: wire.TypeArmed, Generation: 1}, "")
}

// begin says hello and starts the first execution.
func (d *double) begin() {
	d.hello()
	d.await(wire.TypeExecute)
	d.send(wire.Header{Type: wire.TypeStarted, ID: d.id}, "")
}

func (d *double) done(value string) { d.send(wire.Header{Type: wire.TypeDone, ID: d.id}, value) }

func (d *double) call(n uint64, args string) {
	d.send(wire.Header{Type: wire.TypeCall, ID: d.id, Call: n, Kind: wire.KindTool, Server: "s", Name: "t"}, args)
}

// serve goes on as an honest worker that answers 42.
func (d *double) serve() {
	for generation := uint64(2); ; generation++ {
		d.await(wire.TypeReset)
		d.send(wire.Header{Type: wire.TypeArmed, Generation: generation}, "")
		d.await(wire.TypeExecute)
		d.send(wire.Header{Type: wire.TypeStarted, ID: d.id}, "")
		d.done("42")
	}
}

// honest is a worker without fault.
func (d *double) honest() {
	d.begin()
	d.done("42")
	d.serve()
}

// first reports true in the first process of this double, false in those that
// come after it.
func (d *double) first() bool {
	f, err := os.OpenFile(filepath.Join(d.dir, "was-here"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// hang waits until it is killed.
func (d *double) hang() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	for {
		time.Sleep(time.Hour)
	}
}

var doubles = map[string]func(d *double){
	"honest": (*double).honest,

	// At the start.
	"silent":         (*double).hang,
	"dies-at-start":  func(*double) { fmt.Fprintln(os.Stderr, "last words: no luck today"); os.Exit(9) },
	"other-protocol": func(d *double) { d.send(wire.Header{Type: wire.TypeHello, Protocol: 99}, ""); d.hang() },
	"never-armed": func(d *double) {
		d.send(wire.Header{Type: wire.TypeHello, Protocol: wire.Version, Lockdown: []byte(`{"level":"none"}`)}, "")
		d.hang()
	},
	"garbage-hello": func(d *double) { d.raw([]byte("Segmentation fault\n\n\n\n")); d.hang() },

	// Instead of starting.
	"never-starts":      func(d *double) { d.hello(); d.await(wire.TypeExecute); d.hang() },
	"never-starts-once": func(d *double) { d.once(func() { d.hello(); d.await(wire.TypeExecute); d.hang() }) },
	"stray-once": func(d *double) {
		d.once(func() {
			d.hello()
			d.send(wire.Header{Type: wire.TypeDone, ID: 1 << 40}, `"somebody else's"`)
			d.hang()
		})
	},
	"dies-started-once": func(d *double) { d.once(func() { d.begin(); os.Exit(1) }) },
	"dies-logged-once": func(d *double) {
		d.once(func() {
			d.begin()
			d.send(wire.Header{Type: wire.TypeLog, ID: d.id, Level: "log"}, "seen")
			os.Exit(1)
		})
	},
	"dies-called": func(d *double) { d.begin(); d.call(1, "{}"); d.await(wire.TypeReturn); os.Exit(1) },

	// While a program runs.
	"garbage":        func(d *double) { d.begin(); d.raw(bytes.Repeat([]byte("garbage "), 100)); d.hang() },
	"huge-frame":     func(d *double) { d.begin(); d.prefix(1<<31, 20); d.hang() },
	"huge-header":    func(d *double) { d.begin(); d.prefix(1<<20, 1<<19); d.hang() },
	"half-frame":     func(d *double) { d.begin(); d.prefix(1000, 20); d.hang() },
	"closes-pipe":    func(d *double) { d.begin(); os.Stdout.Close(); d.hang() },
	"other-id":       func(d *double) { d.begin(); d.id++; d.done("1"); d.hang() },
	"started-twice":  func(d *double) { d.begin(); d.send(wire.Header{Type: wire.TypeStarted, ID: d.id}, ""); d.hang() },
	"before-started": func(d *double) { d.hello(); d.await(wire.TypeExecute); d.done("1"); d.hang() },
	"host-message":   func(d *double) { d.begin(); d.send(wire.Header{Type: wire.TypeExecute, ID: d.id}, ""); d.hang() },
	"hello-again":    func(d *double) { d.begin(); d.send(wire.Header{Type: wire.TypeHello, ID: d.id}, ""); d.hang() },
	"call-gap":       func(d *double) { d.begin(); d.call(5, "{}"); d.hang() },
	"call-twice":     func(d *double) { d.begin(); d.call(1, "{}"); d.call(1, "{}"); d.hang() },
	"call-not-json":  func(d *double) { d.begin(); d.call(1, "{oops"); d.hang() },
	"call-deep":      func(d *double) { d.begin(); d.call(1, strings.Repeat("[", 10000)+strings.Repeat("]", 10000)); d.hang() },
	"call-long-name": func(d *double) {
		d.begin()
		d.send(wire.Header{Type: wire.TypeCall, ID: d.id, Call: 1, Kind: wire.KindTool, Server: strings.Repeat("s", 9<<10), Name: "t"}, "{}")
		d.hang()
	},
	"call-strange-kind": func(d *double) {
		d.begin()
		d.send(wire.Header{Type: wire.TypeCall, ID: d.id, Call: 1, Kind: "shell.exec", Name: "rm"}, "{}")
		h := d.await(wire.TypeReturn)
		if h.Error == nil {
			d.done(`"it was done!"`)
		} else {
			d.done(`"` + h.Error.Code + `"`)
		}
		d.serve()
	},
	"call-array": func(d *double) {
		d.begin()
		d.call(1, " [1]")
		d.done(`"` + d.await(wire.TypeReturn).Error.Code + `"`)
		d.serve()
	},
	"calls-over": func(d *double) {
		d.begin()
		for n := uint64(1); ; n++ {
			d.call(n, "{}")
			d.await(wire.TypeReturn)
		}
	},
	"concurrency-over": func(d *double) {
		d.begin()
		for n := uint64(1); n <= 50; n++ {
			d.call(n, `{"wait":true}`)
		}
		d.hang()
	},
	"arguments-over": func(d *double) { d.begin(); d.call(1, `{"a":"`+strings.Repeat("x", 2<<20)+`"}`); d.hang() },
	"result-over":    func(d *double) { d.begin(); d.done(`"` + strings.Repeat("x", 2<<20) + `"`); d.hang() },
	"result-invalid": func(d *double) { d.begin(); d.done(`{"a":}`); d.hang() },
	"result-none":    func(d *double) { d.begin(); d.done(""); d.hang() },
	"emits-over": func(d *double) {
		d.begin()
		for {
			d.send(wire.Header{Type: wire.TypeEmit, ID: d.id}, `{"type":"text","text":"`+strings.Repeat("x", 1<<20)+`"}`)
		}
	},
	"emit-invalid": func(d *double) { d.begin(); d.send(wire.Header{Type: wire.TypeEmit, ID: d.id}, `nope`); d.hang() },
	"logs-over": func(d *double) {
		d.begin()
		for {
			d.send(wire.Header{Type: wire.TypeLog, ID: d.id, Level: "log"}, strings.Repeat("x", 1<<10))
		}
	},
	"log-flood": func(d *double) { d.begin(); d.flood(wire.Header{Type: wire.TypeLog, ID: d.id, Level: "log"}, "") },
	"log-level": func(d *double) {
		d.begin()
		d.send(wire.Header{Type: wire.TypeLog, ID: d.id, Level: "fatal"}, "x")
		d.hang()
	},
	"log-huge": func(d *double) {
		d.begin()
		d.flood(wire.Header{Type: wire.TypeLog, ID: d.id, Level: "log"}, strings.Repeat("x", 1<<20))
	},
	"progresses":  func(d *double) { d.begin(); d.flood(wire.Header{Type: wire.TypeProgress, ID: d.id, Done: 1}, "") },
	"strangeness": func(d *double) { d.begin(); d.flood(wire.Header{Type: "whatever", ID: d.id}, "") },
	"warnings": func(d *double) {
		d.begin()
		d.send(wire.Header{Type: wire.TypeDone, ID: d.id, Warnings: make([]string, 1000)}, "1")
		d.hang()
	},
	"blames-host":  func(d *double) { d.begin(); d.fails("OVERLOADED"); d.hang() },
	"blames-crash": func(d *double) { d.begin(); d.fails("WORKER_CRASHED"); d.hang() },
	"blames-other": func(d *double) { d.begin(); d.fails("MADE_UP"); d.hang() },
	"floods-headers": func(d *double) {
		d.begin()
		header := fmt.Sprintf(`{"type":"emit","id":%d,"x":"%s"}`, d.id, strings.Repeat("x", 60<<10))
		for {
			d.raw(frame(header, "1"))
		}
	},
	"never-reads": func(d *double) {
		d.begin()
		for n := uint64(1); n <= 100; n++ {
			d.call(n, `{"a":"`+strings.Repeat("x", 100<<10)+`"}`)
			// Wait, without reading, until the answer has had its time.
			time.Sleep(5 * time.Millisecond)
		}
		for {
			time.Sleep(time.Hour)
		}
	},
	"floods-stderr": func(d *double) {
		d.begin()
		for {
			fmt.Fprintln(os.Stderr, strings.Repeat("noise ", 1000))
		}
	},

	// At the end of its time.
	"computes": func(d *double) {
		d.begin()
		for i := 0; ; i++ {
			_ = i
		}
	},
	"sleeps":       func(d *double) { d.begin(); d.hang() },
	"never-resets": func(d *double) { d.begin(); d.done("42"); d.hang() },
	"wrong-generation": func(d *double) {
		d.begin()
		d.done("42")
		d.await(wire.TypeReset)
		d.send(wire.Header{Type: wire.TypeArmed, Generation: 7}, "")
		d.hang()
	},
	"after-done": func(d *double) {
		d.begin()
		d.done("42")
		d.send(wire.Header{Type: wire.TypeLog, ID: d.id, Level: "log"}, "late")
		d.serve()
	},

	// Not wrong at all.
	"from-tomorrow": func(d *double) {
		d.hello()
		d.raw(frame(`{"type":"news","colour":1}`, "x"))
		d.await(wire.TypeExecute)
		d.raw(frame(fmt.Sprintf(`{"type":"started","id":%d,"mood":"good"}`, d.id), ""))
		d.raw(frame(`{"type":"gossip","id":999}`, "who?"))
		d.raw(frame(fmt.Sprintf(`{"type":"done","id":%d,"usage":{"cpu_us":1,"joules":3},"x":[{}]}`, d.id), "42"))
		d.serve()
	},
}

// once misbehaves in the first process, and is honest in the next.
func (d *double) once(misbehave func()) {
	if d.first() {
		misbehave()
		return
	}
	d.honest()
}

func (d *double) fails(code string) {
	d.send(wire.Header{Type: wire.TypeDone, ID: d.id, Error: &wire.Error{Code: code, Message: "so it says"}}, "")
}

// flood sends until nobody reads.
func (d *double) flood(h wire.Header, body string) {
	for {
		d.send(h, body)
	}
}

func (d *double) prefix(length, header uint32) {
	d.raw(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, length), header))
}

func frame(header, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(header)))
	return append(append(b, header...), body...)
}
