package lockdown

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/autoclave-run/autoclave/internal/lockdown/seccomp"
)

// This test is inside of the package: the policy is data that nobody else
// needs. It runs on every platform, for the filters of all.

const testPID = 4242

func testInput(arch string, cgo bool) filterInput {
	return filterInput{arch: arch, cgo: cgo, pid: testPID, epoll: 5, event: 6}
}

func testProgram(t *testing.T, in filterInput) (prog []bpf.Instruction, arch uint32, nr numbers) {
	t.Helper()
	p, err := policy(in)
	if err != nil {
		t.Fatal(err)
	}
	prog, err = p.Program()
	if err != nil {
		t.Fatal(err)
	}
	if in.arch == "arm64" {
		return prog, p.Arch, numbersARM64
	}
	return prog, p.Arch, numbersAMD64
}

func action(t *testing.T, prog []bpf.Instruction, arch, nr uint32, args ...uint64) seccomp.Action {
	t.Helper()
	d := seccomp.Data{Arch: arch, Nr: nr}
	copy(d.Args[:], args)
	a, err := seccomp.Evaluate(prog, d)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPolicyArguments(t *testing.T) {
	const minusOne = ^uint64(0)
	for _, arch := range []string{"amd64", "arm64"} {
		for _, cgo := range []bool{false, true} {
			name := arch
			if cgo {
				name += " cgo"
			}
			t.Run(name, func(t *testing.T) {
				prog, audit, nr := testProgram(t, testInput(arch, cgo))
				goClone := uint64(0x50f00)
				if arch == "amd64" {
					goClone = 0xd0f00
				}
				inCgo := func(a seccomp.Action) seccomp.Action {
					if cgo {
						return a
					}
					return seccomp.KillProcess
				}
				const kill, allow = seccomp.KillProcess, seccomp.Allow
				for _, tt := range []struct {
					what string
					nr   uint32
					args []uint64
					want seccomp.Action
				}{
					{"read input", nr.read, []uint64{0}, allow},
					{"read the event", nr.read, []uint64{6}, allow},
					{"read output", nr.read, []uint64{1}, kill},
					{"read another", nr.read, []uint64{3}, kill},
					{"write input", nr.write, []uint64{0}, kill},
					{"write output", nr.write, []uint64{1}, allow},
					{"write errors", nr.write, []uint64{2}, allow},
					{"write the event", nr.write, []uint64{6}, allow},
					{"write another", nr.write, []uint64{7}, kill},
					{"poll", nr.epollPwait, []uint64{5}, allow},
					{"poll another", nr.epollPwait, []uint64{6}, kill},
					{"ppoll one", nr.ppoll, []uint64{0, 1}, allow},
					{"ppoll two", nr.ppoll, []uint64{0, 2}, kill},
					{"map", nr.mmap, []uint64{0, 4096, 3, 0x22, minusOne}, allow},
					{"map fixed", nr.mmap, []uint64{0, 4096, 3, 0x32, minusOne}, allow},
					{"reserve", nr.mmap, []uint64{0, 4096, 0, 0x22, minusOne}, allow},
					{"map a stack", nr.mmap, []uint64{0, 4096, 0, 0x20022, minusOne}, inCgo(allow)},
					{"map executable", nr.mmap, []uint64{0, 4096, 5, 0x22, minusOne}, kill},
					{"map with a high bit", nr.mmap, []uint64{0, 4096, 3 | 1<<32, 0x22, minusOne}, kill},
					{"map shared", nr.mmap, []uint64{0, 4096, 3, 0x21, minusOne}, kill},
					{"map a file", nr.mmap, []uint64{0, 4096, 3, 0x2, 0}, kill},
					{"map huge pages", nr.mmap, []uint64{0, 4096, 3, 0x40022, minusOne}, kill},
					{"map below", nr.mmap, []uint64{0, 4096, 3, 0x122, minusOne}, kill},
					{"map with a high flag", nr.mmap, []uint64{0, 4096, 3, 0x22 | 1<<40, minusOne}, kill},
					{"unmap", nr.munmap, nil, allow},
					{"protect", nr.mprotect, []uint64{0, 4096, 3}, inCgo(allow)},
					{"protect executable", nr.mprotect, []uint64{0, 4096, 5}, kill},
					{"give back", nr.madvise, []uint64{0, 0, 4}, allow},
					{"merge", nr.madvise, []uint64{0, 0, 12}, kill},
					{"poison", nr.madvise, []uint64{0, 0, 100}, kill},
					{"signal itself", nr.tgkill, []uint64{testPID, 1, 23}, allow},
					{"signal another", nr.tgkill, []uint64{testPID + 1, 1, 23}, kill},
					{"a thread", nr.clone, []uint64{goClone}, allow},
					{"the C library's thread", nr.clone, []uint64{0x3d0f00}, inCgo(allow)},
					{"fork", nr.clone, []uint64{17}, kill},
					{"a namespace", nr.clone, []uint64{goClone | 0x10000000}, kill},
					{"a thread with a high bit", nr.clone, []uint64{goClone | 1<<33}, kill},
					{"clone3", nr.clone3, nil, inCgo(seccomp.Errno(38))},
					{"open", nr.openat, nil, inCgo(seccomp.Errno(13))},
					{"wait on a futex", nr.futex, []uint64{0, 128}, allow},
					{"wake a futex", nr.futex, []uint64{0, 129}, allow},
					{"inherit priority", nr.futex, []uint64{0, 134}, kill},
					{"wait on a shared futex", nr.futex, []uint64{0, 0}, inCgo(allow)},
					{"name memory", nr.prctl, []uint64{0x53564d41, 0}, allow},
					{"do something else to memory", nr.prctl, []uint64{0x53564d41, 1}, kill},
					{"the canary", nr.prctl, []uint64{21}, seccomp.Errno(51)},
					{"be dumpable", nr.prctl, []uint64{4, 1}, kill},
					{"another filter", nr.prctl, []uint64{22, 2}, kill},
					{"ask for a terminal", nr.ioctl, []uint64{2, 0x5401}, seccomp.Errno(25)},
					{"ask input for a terminal", nr.ioctl, []uint64{0, 0x5401}, kill},
					{"push a key", nr.ioctl, []uint64{2, 0x5412}, kill},
					{"own processors", nr.schedGetaffinity, []uint64{0}, inCgo(allow)},
					{"another's processors", nr.schedGetaffinity, []uint64{1}, kill},
				} {
					if got := action(t, prog, audit, tt.nr, tt.args...); got != tt.want {
						t.Errorf("%s: got %#x, want %#x", tt.what, got, tt.want)
					}
				}
			})
		}
	}
}

// TestPolicyNumbers goes through all numbers: what is not named is killed,
// whatever its arguments.
func TestPolicyNumbers(t *testing.T) {
	names := map[string][]string{
		"":    strings.Fields("read write futex epoll_pwait mmap munmap madvise tgkill clone nanosleep sched_yield getpid gettid rt_sigprocmask sigaltstack rt_sigreturn rt_sigaction exit exit_group clock_gettime restart_syscall ppoll prctl ioctl"),
		"cgo": strings.Fields("clone3 rseq set_robust_list mprotect sched_getaffinity brk openat"),
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for _, cgo := range []bool{false, true} {
			in := testInput(arch, cgo)
			p, err := policy(in)
			if err != nil {
				t.Fatal(err)
			}
			named := map[uint32]string{}
			for _, r := range p.Rules {
				named[r.Nr] = r.Name
			}
			want := slices.Clone(names[""])
			if cgo {
				want = append(want, names["cgo"]...)
			}
			got := slices.Sorted(maps.Values(named))
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s, cgo %v: the policy names %v, want %v", arch, cgo, got, want)
			}
			table := map[string]string{}
			for e := range strings.FieldsSeq(callTables(arch)) {
				n, name, _ := strings.Cut(e, ":")
				table[n] = name
			}
			prog, audit, _ := testProgram(t, in)
			for nr := range uint32(1200) {
				if name, ok := named[nr]; ok {
					if tableName := table[utoa(nr)]; tableName != name {
						t.Errorf("%s: the policy calls %d %q, the kernel %q", arch, nr, name, tableName)
					}
					continue
				}
				for _, args := range [][]uint64{{}, {1, 1, 1, 1, 1, 1}, {5, 1, 3, 0x22}} {
					if a := action(t, prog, audit, nr, args...); a != seccomp.KillProcess {
						t.Errorf("%s, cgo %v: call %d with %v is answered by %#x", arch, cgo, nr, args, a)
					}
				}
			}
			for nr := range named {
				for _, other := range []uint32{0x40000003, 0xc00000b7, 0xc000003e, 0x40000028} {
					if other == audit {
						continue
					}
					if a := action(t, prog, other, nr); a != seccomp.KillProcess {
						t.Errorf("%s: call %d of architecture %#x is answered by %#x", arch, nr, other, a)
					}
				}
				if a := action(t, prog, audit, nr|0x40000000); a != seccomp.KillProcess {
					t.Errorf("%s: x32 call %d is answered by %#x", arch, nr, a)
				}
			}
			t.Logf("%s, cgo %v: %d calls, %d instructions", arch, cgo, len(named), len(prog))
		}
	}
}

func utoa(n uint32) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return utoa(n/10) + string(rune('0'+n%10))
}

func TestPolicyTrap(t *testing.T) {
	in := testInput("amd64", false)
	in.trap = true
	prog, audit, nr := testProgram(t, in)
	if a := action(t, prog, audit, 9999); a != seccomp.Trap {
		t.Errorf("an unknown call is answered by %#x", a)
	}
	if a := action(t, prog, audit, nr.mmap, 0, 0, 7); a != seccomp.Trap {
		t.Errorf("a forbidden argument is answered by %#x", a)
	}
	if a := action(t, prog, 0x40000003, 20); a != seccomp.KillProcess {
		t.Errorf("another architecture is answered by %#x", a)
	}
}

// Descriptors that were not found must not become some that match.
func TestPolicyRefuses(t *testing.T) {
	for _, change := range []func(*filterInput){
		func(in *filterInput) { in.arch = "riscv64" },
		func(in *filterInput) { in.epoll = -1 },
		func(in *filterInput) { in.event = 0 },
		func(in *filterInput) { in.event = 2 },
		func(in *filterInput) { in.pid = 0 },
	} {
		in := testInput("amd64", false)
		change(&in)
		if _, err := policy(in); err == nil {
			t.Errorf("%+v is accepted", in)
		}
	}
}

func TestMemoryLimits(t *testing.T) {
	p, err := Profile{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	data, address := p.memoryLimits(false)
	if data <= 2*uint64(p.HeapLimit) || address <= data {
		t.Errorf("data %d, address space %d for a heap of %d", data, address, p.HeapLimit)
	}
	cgoData, cgoAddress := p.memoryLimits(true)
	if cgoData <= data || cgoAddress <= address {
		t.Errorf("a cgo build gets %d and %d", cgoData, cgoAddress)
	}
}
