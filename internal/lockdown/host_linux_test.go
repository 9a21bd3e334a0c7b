//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

func hostMain() int {
	// A test that is timed out leaves no time for cleaning up.
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(time.Second)
		}
		os.Exit(1)
	}()
	var s setting
	raw, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err == nil && s.NoUserNS {
		return forbidUserNamespaces(s)
	}
	var outcomes []outcome
	if err == nil {
		outcomes, err = host(s)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(outcomes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		return 1
	}
	return 0
}

// forbidUserNamespaces runs the host once more, as a user who can make none.
func forbidUserNamespaces(s setting) int {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		fmt.Fprintln(os.Stderr, "host: forbidding user namespaces:", err)
		return 1
	}
	s.NoUserNS = false
	raw, err := json.Marshal(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		return 1
	}
	cmd := hostCommand(s)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(raw), os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		return 1
	}
	return 0
}

// host runs all variants in its own setting.
func host(s setting) ([]outcome, error) {
	if s.OwnNet {
		if err := loopbackUp(); err != nil {
			return nil, fmt.Errorf("bringing the loopback device up: %w", err)
		}
	}
	// No file mode is to be in the way of what landlock is to be.
	unix.Umask(0)
	tg, stop, err := makeTargets()
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := checkStrict(); err != nil {
		return nil, err
	}
	var (
		mu       sync.Mutex
		outcomes []outcome
		failed   error
		wg       sync.WaitGroup
		slots    = make(chan struct{}, runtime.NumCPU())
	)
	for name, set := range variants(s) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			o, err := runVariant(name, set, tg)
			mu.Lock()
			defer mu.Unlock()
			outcomes = append(outcomes, o...)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	wg.Wait()
	return outcomes, failed
}

// checkStrict makes sure that a worker is strict wherever this host runs.
func checkStrict() error {
	s, err := newSpawner(spawnerOptions{confine: true})
	if err != nil {
		return err
	}
	defer s.close()
	v, err := s.start(job{Deed: "echo"})
	if err != nil {
		return err
	}
	r, err := lockdown.Verify(v.proc.Pid, v.report)
	_, _ = v.wait()
	if err == nil {
		err = lockdown.Require(r, lockdown.Strict, nil)
	}
	return err
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(ifr))); errno != 0 {
		return errno
	}
	return nil
}

// makeTargets makes what victims try things at. Files are made anew for each
// variant.
func makeTargets() (targets, func(), error) {
	tg := targets{Parent: os.Getpid(), Abstract: fmt.Sprintf("@lockdown-%d", os.Getpid())}
	dir, err := os.MkdirTemp("", "lockdown-")
	if err != nil {
		return tg, nil, err
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return tg, nil, err
	}
	tg.Dir, tg.Unix = dir, filepath.Join(dir, "socket")
	var closers []io.Closer
	listen := func(network, addr string) (port int) {
		if err != nil {
			return 0
		}
		if network == "udp" {
			var c net.PacketConn
			if c, err = net.ListenPacket(network, addr); err == nil {
				closers = append(closers, c)
				port = c.LocalAddr().(*net.UDPAddr).Port
			}
			return port
		}
		var l net.Listener
		if l, err = net.Listen(network, addr); err != nil {
			return 0
		}
		closers = append(closers, l)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			port = a.Port
		}
		return port
	}
	tg.TCP = listen("tcp", "127.0.0.1:0")
	tg.UDP = listen("udp", "127.0.0.1:0")
	listen("unix", tg.Unix)
	listen("unix", tg.Abstract)
	// Whoever the victim is, these are open to it.
	err = errors.Join(err, os.Chmod(tg.Unix, 0o777))
	bystander := &exec.Cmd{Path: "/proc/self/exe", Args: []string{argBystander}, Env: []string{}}
	in, err2 := bystander.StdinPipe()
	if err = errors.Join(err, err2); err == nil {
		err = bystander.Start()
	}
	stop := func() {
		for _, c := range closers {
			c.Close()
		}
		if in != nil {
			in.Close()
		}
		_ = bystander.Wait()
		os.RemoveAll(dir)
	}
	if err != nil {
		stop()
		return tg, nil, err
	}
	tg.Bystander = bystander.Process.Pid
	return tg, stop, nil
}

func runVariant(name string, set []string, tg targets) ([]outcome, error) {
	has := func(n string) bool { return slices.Contains(set, n) }
	j := job{Deed: "probe", Targets: tg, Leak: true}
	tg.Dir = filepath.Join(tg.Dir, strings.ReplaceAll(name, " ", "_"))
	if err := os.Mkdir(tg.Dir, 0o777); err != nil {
		return nil, err
	}
	for _, f := range []string{"rename", "link", "unlink", "truncate", "write"} {
		if err := os.WriteFile(filepath.Join(tg.Dir, f), []byte("content"), 0o666); err != nil {
			return nil, err
		}
	}
	j.Targets.Dir = tg.Dir
	var host lockdown.HostOptions
	for _, l := range []string{lockdown.LayerUID, lockdown.LayerNamespaces} {
		if !has(l) {
			host.Skip = append(host.Skip, l)
		}
	}
	for _, l := range matrixLayers(setting{}) {
		switch l {
		case lockdown.LayerConfinedSpawn, lockdown.LayerUID, lockdown.LayerNamespaces:
		default:
			if !has(l) {
				j.Profile.Skip = append(j.Profile.Skip, l)
			}
		}
	}
	s, err := newSpawner(spawnerOptions{host: host, confine: has(lockdown.LayerConfinedSpawn)})
	if err != nil {
		return nil, err
	}
	defer s.close()

	var outcomes []outcome
	var todo []int
	for i := range probes {
		if p := probes[i]; p.slow && name != "all" && name != "none" && !strings.HasPrefix(name, "all but "+lockdown.LayerProcesses) {
			continue
		}
		todo = append(todo, i)
	}
	for len(todo) > 0 {
		// Together as far as one does not change the next one's process.
		n := 1
		for !probes[todo[0]].alone && n < len(todo) && !probes[todo[n]].alone {
			n++
		}
		got, err := tryProbes(s, j, todo[:n])
		if err != nil {
			return outcomes, err
		}
		for i := range got {
			got[i].Variant = name
		}
		outcomes = append(outcomes, got...)
		todo = todo[len(got):]
	}
	return outcomes, nil
}

// tryProbes runs a victim and returns as many outcomes as it lived for, that
// of which it died among them.
func tryProbes(s *spawner, j job, which []int) ([]outcome, error) {
	j.Probes = which
	v, err := s.start(j)
	if err != nil {
		return nil, err
	}
	var outcomes []outcome
	trying := -1
	for {
		line, err := v.stdout.ReadString('\n')
		if err != nil {
			break
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		num, reason, _ := strings.Cut(rest, " ")
		i, err := strconv.Atoi(num)
		if err != nil {
			return nil, fmt.Errorf("a victim says %q", line)
		}
		switch verb {
		case "try":
			trying = i
		case "yes", "no":
			outcomes = append(outcomes, outcome{Probe: i, Done: verb == "yes", Error: reason})
			trying = -1
		}
	}
	state, text := v.wait()
	if trying < 0 {
		if len(outcomes) == 0 {
			return nil, fmt.Errorf("a victim ended before it tried: %v %s", state, text)
		}
		return outcomes, nil
	}
	// It ended while it tried. That is what was to be shown, or what it tried
	// was to become another program.
	d := lockdown.Explain(state, []byte(text), "")
	o := outcome{Probe: trying, Death: string(d.Kind), Error: d.String()}
	if strings.HasPrefix(probes[trying].name, "execute") && d.Kind == lockdown.KindExit {
		o.Done, o.Death = true, ""
	}
	return append(outcomes, o), nil
}
