//go:build unix

package process

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/autoclave-run/autoclave/internal/worker"
)

// executable is what to run for a worker. On Linux the link answers with the
// file that is running, not with what lies at its path now.
func executable() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// bootTime is how long the boot message may take into its pipe.
const bootTime = time.Second

// start starts the process on the launcher's thread and returns without
// waiting for it to say anything.
func (l *Launcher) start(b worker.Boot) (*Worker, error) {
	var opened []*os.File
	pipe := func() (r, w *os.File, err error) {
		r, w, err = os.Pipe()
		if err == nil {
			opened = append(opened, r, w)
		}
		return r, w, err
	}
	fail := func(err error) (*Worker, error) {
		for _, f := range opened {
			f.Close()
		}
		return nil, fmt.Errorf("starting a worker process: %w", err)
	}
	b.Lockdown = l.spawn.Profile(b.Lockdown)
	b.HostLayers = l.layers
	boot, err := b.Encode()
	if err != nil {
		return fail(err)
	}
	inR, inW, err := pipe()
	if err != nil {
		return fail(err)
	}
	outR, outW, err := pipe()
	if err != nil {
		return fail(err)
	}
	errR, errW, err := pipe()
	if err != nil {
		return fail(err)
	}
	bootR, bootW, err := pipe()
	if err != nil {
		return fail(err)
	}
	// The message is smaller than what a pipe holds, except for a user who has
	// too many pipes already.
	if err := bootW.SetWriteDeadline(time.Now().Add(bootTime)); err != nil {
		return fail(err)
	}
	if _, err := bootW.Write(boot); err != nil {
		return fail(err)
	}
	dir := ""
	if runtime.GOOS == "linux" {
		// Through the descriptor: the directory has no name. The child has
		// its own copy of it until it executes.
		dir = fmt.Sprintf("/proc/self/fd/%d", fdOf(l.dir))
	}
	files := []*os.File{inR, outW, errW, bootR}
	if l.node != nil {
		files = append(files, l.node)
	}
	proc, err := os.StartProcess(l.path, []string{worker.Argv0}, &os.ProcAttr{
		Dir:   dir,
		Env:   l.spawn.Environment(),
		Files: files,
		Sys:   l.spawn.Attr(),
	})
	if err != nil {
		return fail(err)
	}
	for _, f := range []*os.File{inR, outW, errW, bootR, bootW} {
		f.Close()
	}
	return newWorker(l, proc, inW, outR, errR), nil
}

// fdOf returns f's descriptor without turning it blocking, as Fd would.
func fdOf(f *os.File) int {
	fd := -1
	if c, err := f.SyscallConn(); err == nil {
		_ = c.Control(func(u uintptr) { fd = int(u) })
	}
	return fd
}
