//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

func TestDeaths(t *testing.T) {
	plain := lockdown.Profile{Off: true}
	tests := []struct {
		name    string
		profile lockdown.Profile
		args    []string
		kill    string // the host kills for this reason
		signal  unix.Signal
		pipe    bool // the host closes standard output
		want    lockdown.Kind
		claimed bool
		memory  bool
		cpu     bool
		detail  string
		notRace bool
	}{
		{name: "exit", args: []string{"exit", "0"}, want: lockdown.KindExit, claimed: true},
		{name: "exit with a status", args: []string{"exit", "7"}, want: lockdown.KindExit, claimed: true},
		{name: "host gone", args: []string{"exit", "73"}, want: lockdown.KindParentDeath, claimed: true},
		{name: "forbidden call", args: []string{"call"}, want: lockdown.KindSIGSYS},
		{name: "forbidden call, trapped", profile: lockdown.Profile{Trap: true}, args: []string{"call"}, want: lockdown.KindSIGSYS, claimed: true},
		{name: "panic", args: []string{"panic"}, want: lockdown.KindGoPanic, claimed: true, detail: "panic: as asked"},
		{name: "stack", args: []string{"stack"}, want: lockdown.KindGoStack, claimed: true, memory: true, notRace: true},
		{name: "memory", args: []string{"memory"}, want: lockdown.KindGoOOM, claimed: true, memory: true, notRace: true},
		{name: "processor time", profile: lockdown.Profile{CPU: time.Second}, args: []string{"spin"}, want: lockdown.KindCPURlimit, cpu: true},
		{name: "closed pipe", args: []string{"pipe"}, pipe: true, want: lockdown.KindPipe, claimed: true},
		{name: "killed by the host", args: []string{"spin"}, kill: "the deadline", want: lockdown.KindHostKill, detail: "the deadline"},
		{name: "killed by another", args: []string{"spin"}, signal: unix.SIGKILL, want: lockdown.KindKilled},
		{name: "another signal", profile: plain, args: []string{"spin"}, signal: unix.SIGTERM, want: lockdown.KindSignal, claimed: true},
	}
	// Without the process namespace: its first process is spared signals.
	host := lockdown.HostOptions{Skip: []string{lockdown.LayerNamespaces}}
	s, err := newSpawner(spawnerOptions{confine: true, host: host})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.notRace && raceTest {
				t.Skip("the race detector has another word for it")
			}
			v := startVictim(t, s, job{Deed: "die", Args: tt.args, Profile: tt.profile})
			if tt.pipe {
				v.out.Close()
			}
			if tt.signal != 0 {
				if err := v.proc.Signal(tt.signal); err != nil {
					t.Fatal(err)
				}
			}
			if tt.kill != "" {
				v.kill()
			}
			state, text := v.wait()
			e := lockdown.Evidence{State: state, Stderr: []byte(text), HostKill: tt.kill, CPULimit: tt.profile.CPU}
			d := e.Death()
			if d.Kind != tt.want {
				t.Fatalf("%v (%s); it wrote %q", d, d.Kind, text)
			}
			if !errors.Is(d, tt.want) {
				t.Error("errors.Is does not find the kind")
			}
			if tt.want == lockdown.KindPipe && d.Signal == "SIGPIPE" {
				d.Claimed = true // either way it ends is fine
			}
			if tt.name == "processor time" {
				d.Claimed = false // by the soft limit's signal or by the hard limit's
			}
			if tt.want == lockdown.KindSIGSYS && tt.profile.Trap {
				if d.Syscall != "getppid (110)" && d.Syscall != "getppid (173)" {
					t.Errorf("the debugging mode tells of %q", d.Syscall)
				}
			} else if tt.want == lockdown.KindSIGSYS {
				e.Syscall = lockdown.ForbiddenCall(v.proc.Pid)
				d = e.Death()
				if e.Syscall == "" {
					t.Log("the kernel's log does not tell the call here")
					d.Claimed = false
				} else if !strings.HasPrefix(d.Syscall, "getppid (") {
					t.Errorf("the kernel's log tells of %q", d.Syscall)
				}
			}
			if d.Claimed != tt.claimed || d.IsMemory() != tt.memory || d.IsCPU() != tt.cpu {
				t.Errorf("claimed %v, memory %v, cpu %v: %v", d.Claimed, d.IsMemory(), d.IsCPU(), d)
			}
			if !strings.Contains(d.Detail, tt.detail) {
				t.Errorf("the detail is %q", d.Detail)
			}
			if d.LogValue().Kind() != slog.KindGroup {
				t.Error("no group in the log")
			}
			t.Log(d)
		})
	}
}

// A worker that is the first process of its namespace dies of the hard limit.
func TestDeathByCPUInNamespace(t *testing.T) {
	need(t, os.Geteuid() == 0, "only root can make namespaces here")
	s := strictSpawner(t)
	p := lockdown.Profile{CPU: time.Second}
	v := startVictim(t, s, job{Deed: "die", Args: []string{"spin"}, Profile: p})
	state, text := v.wait()
	if d := (lockdown.Evidence{State: state, Stderr: []byte(text), CPULimit: p.CPU}).Death(); d.Kind != lockdown.KindCPURlimit {
		t.Errorf("%v; it wrote %q", d, text)
	}
}

func TestOOMKillsIsACount(t *testing.T) {
	a, ok := lockdown.OOMKills()
	if !ok {
		t.Skip("this kernel does not count")
	}
	if b, _ := lockdown.OOMKills(); b < a {
		t.Errorf("it fell from %d to %d", a, b)
	}
}
