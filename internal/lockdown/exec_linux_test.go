//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/node/nodetest"
)

// argExec makes the test binary one that becomes Node.js.
const argExec = "lockdown-exec"

// execJob is what it is told, on its standard input.
type execJob struct {
	Profile  lockdown.Profile
	Node     string
	Readable []string
	Script   string
	Jitless  bool
	Reserve  int64
}

func execMain() int {
	var j execJob
	raw, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(raw, &j)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reading the job:", err)
		return 90
	}
	file, err := unix.Open(j.Node, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 90
	}
	empty, err := unix.MemfdCreate("empty", 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 90
	}
	if err := os.Chdir("/"); err != nil {
		return 90
	}
	args := []string{"probe", "--no-warnings", "--v8-pool-size=1"}
	if j.Jitless {
		args = append(args, "--jitless")
	}
	run, report, err := lockdown.ApplyExec(j.Profile, lockdown.Exec{
		File: file, Arguments: append(args, "--eval", j.Script), Keep: []int{empty}, Readable: j.Readable,
		Environment:      []string{"TZ=UTC", fmt.Sprintf("OPENSSL_CONF=/proc/self/fd/%d", empty)},
		ExecutableMemory: !j.Jitless, Reserve: j.Reserve,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "locking down:", err)
		return 91
	}
	line, err := json.Marshal(report)
	if err != nil {
		return 92
	}
	say(string(line))
	fmt.Fprintln(os.Stderr, "executing:", run())
	return 94
}

// becomeNode runs a script in a Node.js that is locked down, without Node's own
// permission model, and returns the report, what the script said, and how the
// process ended.
func becomeNode(t *testing.T, j execJob) (report lockdown.Report, said string, state *os.ProcessState) {
	t.Helper()
	info := nodetest.Find(t)
	j.Node, j.Readable, j.Reserve = info.Path, info.Libraries, info.CodeRange()
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(exe)
	cmd.Args, cmd.Env = []string{argExec}, []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(raw), &stdout, &stderr
	_ = cmd.Run()
	first, rest, _ := strings.Cut(stdout.String(), "\n")
	if err := json.Unmarshal([]byte(first), &report); err != nil {
		t.Fatalf("no report: %v: %s %s", err, first, &stderr)
	}
	return report, rest + stderr.String(), cmd.ProcessState
}

// TestExecDeeds has Node.js do what a program that has broken out of V8 and of
// everything in Node.js would try.
func TestExecDeeds(t *testing.T) {
	if lockdown.Best() != lockdown.Strict {
		t.Skip("this machine cannot lock workers down strictly")
	}
	attempt := func(code string) string {
		return "try { " + code + "; console.log('DONE') } catch (e) { console.log('refused', e.code) }"
	}
	later := func(code string) string {
		return "const end = (e) => { console.log(e ? 'refused ' + e.code : 'DONE'); process.exit() }; " + code
	}
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		name, script string
		// dies says that the filter may kill it for that; else it is refused.
		dies bool
		// works says that it must be possible.
		works bool
	}{
		{name: "nothing", script: "console.log('DONE')", works: true},
		{name: "threads", script: "new (require('worker_threads').Worker)('1', { eval: true }).on('exit', () => console.log('DONE'))", works: true},
		{name: "compiling", script: "let f = (n) => n < 2 ? n : f(n - 1) + f(n - 2); f(25); console.log('DONE')", works: true},
		{name: "its own executable", script: attempt("require('fs').openSync(process.execPath)")},
		{name: "passwd", script: attempt("require('fs').readFileSync('/etc/passwd')")},
		{name: "a file that all may read", script: attempt(fmt.Sprintf("require('fs').readFileSync(%q)", secret))},
		{name: "listing", script: attempt("require('fs').readdirSync('/')")},
		{name: "listing its directory", script: attempt("require('fs').readdirSync('.')")},
		{name: "a file of the kernel's", script: attempt("require('fs').readFileSync('/proc/self/maps')")},
		{name: "its parent", script: attempt("require('fs').readFileSync('/proc/' + process.ppid + '/environ')")},
		{name: "creating", script: attempt("require('fs').writeFileSync('/tmp/autoclave-was-here', 'x')")},
		{name: "writing", script: attempt(fmt.Sprintf("require('fs').writeFileSync(%q, 'y')", secret))},
		{name: "a device", script: attempt("require('fs').openSync('/dev/null', 'r+')")},
		{name: "existence", script: attempt(fmt.Sprintf("if (!require('fs').existsSync(%q)) throw { code: 'none' }", secret))},
		{name: "removing", script: attempt(fmt.Sprintf("require('fs').unlinkSync(%q)", secret)), dies: true},
		{name: "making a directory", script: attempt("require('fs').mkdirSync('/tmp/autoclave-was-here')"), dies: true},
		{name: "a link", script: attempt(fmt.Sprintf("require('fs').linkSync(%q, '/tmp/autoclave-was-here')", secret)), dies: true},
		{name: "mode", script: attempt(fmt.Sprintf("require('fs').chmodSync(%q, 0o777)", secret)), dies: true},
		{name: "a process", script: attempt("const r = require('child_process').spawnSync('/bin/true'); if (r.error) throw r.error"), dies: true},
		{name: "itself again", script: attempt("const r = require('child_process').spawnSync(process.execPath, ['-e', '1']); if (r.error) throw r.error"), dies: true},
		{name: "replacing itself", script: attempt("if (!process.execve) throw { code: 'none' }; process.execve(process.execPath, ['x', '-e', '1'], {})"), dies: true},
		{name: "TCP", script: later("require('net').connect(1, '127.0.0.1').on('error', end).on('connect', () => end())"), dies: true},
		{name: "UDP", script: later("require('dgram').createSocket('udp4').on('error', end).send('x', 9, '127.0.0.1', end)"), dies: true},
		{name: "a socket with a name", script: later("require('net').connect('/run/x').on('error', end).on('connect', () => end())"), dies: true},
		{name: "listening", script: later("require('net').createServer().on('error', end).listen(0, () => end())"), dies: true},
		{name: "a name", script: later("require('dns').lookup('example.com', (e) => end(e))"), dies: true},
		{name: "its parent's signal", script: attempt("process.kill(process.ppid, 0)"), dies: true},
		{name: "its group's signal", script: attempt("process.kill(0, 0)"), dies: true},
		{name: "another user", script: attempt("process.setuid(12345)"), dies: true},
		{name: "priority", script: attempt("require('os').setPriority(-5)")},
		{name: "an inspector", script: attempt("require('inspector').open(0)"), dies: true},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			report, said, state := becomeNode(t, execJob{Script: d.script})
			if report.Level != lockdown.Strict {
				t.Fatalf("the lockdown is %+v", report)
			}
			status := state.Sys().(syscall.WaitStatus)
			switch done, killed := strings.Contains(said, "DONE"), status.Signaled() && status.Signal() == syscall.SIGSYS; {
			case d.works && !done:
				t.Errorf("it does not work: %v %.300s", state, said)
			case !d.works && done:
				t.Errorf("it was done: %.300s", said)
			case !d.works && !killed && !strings.Contains(said, "refused"):
				t.Errorf("it ended as %v: %.300s", state, said)
			case killed && !d.dies:
				t.Errorf("it was killed for it, where an error would do: %.300s", said)
			}
		})
	}
	if _, err := os.Stat("/tmp/autoclave-was-here"); err == nil {
		t.Error("something was made")
	}
}

// TestExecMemory: whatever it allocates, the kernel ends it well below what the
// machine has.
func TestExecMemory(t *testing.T) {
	if lockdown.Best() != lockdown.Strict {
		t.Skip("this machine cannot lock workers down strictly")
	}
	const heap = 64 << 20
	const most = 2 << 30
	for name, script := range map[string]string{
		"typed arrays":  "const a = []; try { for (let i = 0; i < 4096; i++) a.push(new Uint8Array(1 << 20).fill(i)); console.log('DONE') } catch (e) { console.log('refused') }",
		"buffers":       "const a = []; try { for (let i = 0; i < 4096; i++) a.push(Buffer.alloc(1 << 20, 1)); console.log('DONE') } catch (e) { console.log('refused') }",
		"shared memory": "const a = []; try { for (let i = 0; i < 4096; i++) a.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(i)); console.log('DONE') } catch (e) { console.log('refused') }",
		"strings":       "const a = []; try { for (let i = 0; i < 1e9; i++) a.push(Buffer.alloc(1 << 20, i).toString('latin1')); console.log('DONE') } catch (e) { console.log('refused') }",
	} {
		t.Run(name, func(t *testing.T) {
			_, said, state := becomeNode(t, execJob{Profile: lockdown.Profile{HeapLimit: heap}, Script: script})
			usage := state.SysUsage().(*syscall.Rusage)
			if peak := usage.Maxrss << 10; strings.Contains(said, "DONE") || peak > most {
				t.Errorf("it had %d MiB and ended as %v: %.300s", peak>>20, state, said)
			} else {
				t.Logf("%d MiB, %v", peak>>20, state)
			}
		})
	}
}

// TestExecJitless: no memory that was written can be executed.
func TestExecJitless(t *testing.T) {
	if lockdown.Best() != lockdown.Strict {
		t.Skip("this machine cannot lock workers down strictly")
	}
	report, said, state := becomeNode(t, execJob{Jitless: true, Script: "let n = 0; for (let i = 0; i < 1e5; i++) n += i; console.log('DONE', typeof WebAssembly)"})
	if !strings.Contains(said, "DONE undefined") {
		t.Errorf("it ended as %v: %s", state, said)
	}
	if l := report.Layer(lockdown.LayerExecMemory); !l.Active {
		t.Errorf("the layer is %+v", l)
	}
	report, said, _ = becomeNode(t, execJob{Script: "console.log('DONE')"})
	if l := report.Layer(lockdown.LayerExecMemory); l.Active || !strings.Contains(l.Reason, "jitless") || !strings.Contains(said, "DONE") {
		t.Errorf("with a compiler the layer is %+v: %s", l, said)
	}
	// A compiler under the filter that forbids it gets nowhere.
	_, said, state = becomeNode(t, execJob{Jitless: true, Profile: lockdown.Profile{Skip: []string{lockdown.LayerExecMemory}}, Script: "require('v8').setFlagsFromString('--no-jitless'); console.log('DONE', new (class { constructor() { this.x = typeof WebAssembly } })().x)"})
	if state.Success() && !strings.Contains(said, "DONE undefined") {
		t.Errorf("it ended as %v: %s", state, said)
	}
}
