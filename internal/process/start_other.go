//go:build !unix

package process

import (
	"fmt"
	"os"

	"github.com/autoclave-run/autoclave/internal/worker"
)

func executable() (string, error) { return os.Executable() }

func (l *Launcher) start(b worker.Boot) (*Worker, error) {
	var opened []*os.File
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
	var ends [3][2]*os.File
	for i := range ends {
		r, w, err := os.Pipe()
		if err != nil {
			return fail(err)
		}
		opened = append(opened, r, w)
		ends[i] = [2]*os.File{r, w}
	}
	env := []string{worker.BootEnv + "=" + string(boot)}
	if root := os.Getenv("SYSTEMROOT"); root != "" {
		env = append(env, "SYSTEMROOT="+root)
	}
	proc, err := os.StartProcess(l.path, []string{worker.Argv0}, &os.ProcAttr{
		Env:   env,
		Files: []*os.File{ends[0][0], ends[1][1], ends[2][1]},
		Sys:   l.spawn.Attr(),
	})
	if err != nil {
		return fail(err)
	}
	ends[0][0].Close()
	ends[1][1].Close()
	ends[2][1].Close()
	return newWorker(l, proc, ends[0][1], ends[1][0], ends[2][0]), nil
}
