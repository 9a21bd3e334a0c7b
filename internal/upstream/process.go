package upstream

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// baseEnv are the variables that a server gets from the host's environment:
// what npx, uvx and the like need to find their programs and their caches, and
// no more. None of them is a place where credentials are kept.
var baseEnv = [...]string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"}

// environment returns the environment of a server's process: never nil,
// because os/exec would take the host's own for nil.
func environment(cfg Config) []string {
	env := []string{}
	if !cfg.BareEnv {
		for _, name := range baseEnv {
			if v, ok := os.LookupEnv(name); ok {
				env = append(env, name+"="+v)
			}
		}
	}
	return append(env, cfg.Env...)
}

// process is one server's process and its group.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File // the host's ends, which honour deadlines
	stdout *os.File
	stderr *os.File

	// mu keeps signals away from an id that may already be another's.
	mu     sync.Mutex
	reaped bool

	// done is closed when the leader has died and the rest of its group was
	// killed. cause is set before.
	done  chan struct{}
	cause string
}

// startProcess starts cfg.Command in a process group of its own. The caller
// must call stop.
func startProcess(cfg Config) (*process, error) {
	var files []*os.File
	fail := func(err error) (*process, error) {
		for _, f := range files {
			f.Close()
		}
		return nil, err
	}
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err == nil {
			files = append(files, r, w)
		}
		return r, w, err
	}
	inR, inW, err := pipe()
	if err != nil {
		return fail(fmt.Errorf("making a pipe: %w", err))
	}
	outR, outW, err := pipe()
	if err != nil {
		return fail(fmt.Errorf("making a pipe: %w", err))
	}
	errR, errW, err := pipe()
	if err != nil {
		return fail(fmt.Errorf("making a pipe: %w", err))
	}
	cmd := exec.Command(cfg.Command[0], cfg.Command[1:]...)
	cmd.Env = environment(cfg)
	cmd.Dir = cfg.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, errW
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		// The arguments are not shown: there may be a secret among them.
		return fail(fmt.Errorf("starting %s: %w", cfg.Command[0], err))
	}
	inR.Close()
	outW.Close()
	errW.Close()
	p := &process{cmd: cmd, stdin: inW, stdout: outR, stderr: errR, done: make(chan struct{})}
	go p.wait()
	return p, nil
}

// drain is how long after a server's death its pipes are still read. What it
// wrote before is there already; only a process that left the group can keep
// a pipe open longer.
const drain = 500 * time.Millisecond

// wait is the one goroutine that waits for the process.
func (p *process) wait() {
	var err error
	if waitExited(p.cmd.Process.Pid) {
		p.mu.Lock()
		// The dead leader still holds its id: the signal meets what is left of
		// its group and no stranger.
		killGroup(p.cmd.Process)
		err = p.cmd.Wait()
		p.reaped = true
		p.mu.Unlock()
	} else {
		err = p.cmd.Wait()
		p.mu.Lock()
		p.reaped = true
		p.mu.Unlock()
		killGroup(p.cmd.Process)
	}
	switch {
	case err == nil:
		p.cause = "exited with status 0"
	case p.cmd.ProcessState != nil && p.cmd.ProcessState.ExitCode() >= 0:
		p.cause = fmt.Sprintf("exited with status %d", p.cmd.ProcessState.ExitCode())
	default:
		p.cause = "died: " + err.Error()
	}
	until := time.Now().Add(drain)
	p.stdout.SetReadDeadline(until)
	p.stderr.SetReadDeadline(until)
	close(p.done)
}

// stop ends the process: it closes its input, waits for grace, asks with
// SIGTERM, waits again, and kills. A close of now skips the waiting. It
// returns when the process is gone. The caller closes the output pipes when
// their readers are done.
func (p *process) stop(grace time.Duration, now <-chan struct{}) {
	p.stdin.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for _, signal := range []func(*os.Process){terminateGroup, killGroup} {
		select {
		case <-p.done:
			return
		case <-timer.C:
			timer.Reset(grace)
			p.signal(signal)
		case <-now:
			p.signal(killGroup)
			<-p.done
			return
		}
	}
	<-p.done
}

func (p *process) signal(send func(*os.Process)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		send(p.cmd.Process)
	}
}
