package seccomp_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/autoclave-run/autoclave/internal/lockdown/seccomp"
)

const arch = 0xc000003e

func program(t testing.TB, p seccomp.Policy) []bpf.Instruction {
	t.Helper()
	p.Arch = arch
	prog, err := p.Program()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bpf.Assemble(prog); err != nil {
		t.Fatal(err)
	}
	return prog
}

func evaluate(t testing.TB, prog []bpf.Instruction, d seccomp.Data) seccomp.Action {
	t.Helper()
	a, err := seccomp.Evaluate(prog, d)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestProgram(t *testing.T) {
	prog := program(t, seccomp.Policy{X32: true, Rules: []seccomp.Rule{
		{Name: "any", Nr: 1},
		{Name: "one of", Nr: 2, When: []seccomp.Condition{{Arg: 0, Values: []uint64{3, 5, 7}}}},
		{Name: "both", Nr: 3, When: []seccomp.Condition{{Arg: 1, Values: []uint64{1}}, {Arg: 5, Values: []uint64{2, 4}}}},
		{Name: "masked", Nr: 4, When: []seccomp.Condition{{Arg: 2, Wide: true, Mask: ^uint64(3), Values: []uint64{0}}}},
		{Name: "wide", Nr: 5, When: []seccomp.Condition{{Arg: 0, Wide: true, Values: []uint64{0xffffffff_00000001}}}},
		{Name: "either", Nr: 6, When: []seccomp.Condition{{Arg: 0, Values: []uint64{1}}}},
		{Name: "errno", Nr: 7, Action: seccomp.Errno(38)},
		{Name: "either", Nr: 6, When: []seccomp.Condition{{Arg: 1, Values: []uint64{2}}}, Action: seccomp.Errno(5)},
	}})
	kill := seccomp.KillProcess
	for _, tt := range []struct {
		name string
		data seccomp.Data
		want seccomp.Action
	}{
		{"any", seccomp.Data{Nr: 1, Args: [6]uint64{9, 9, 9, 9, 9, 9}}, seccomp.Allow},
		{"none", seccomp.Data{Nr: 0}, kill},
		{"another architecture", seccomp.Data{Nr: 1, Arch: 0x40000003}, kill},
		{"x32", seccomp.Data{Nr: 1 | 0x40000000}, kill},
		{"negative", seccomp.Data{Nr: 0xffffffff}, kill},
		{"first value", seccomp.Data{Nr: 2, Args: [6]uint64{3}}, seccomp.Allow},
		{"last value", seccomp.Data{Nr: 2, Args: [6]uint64{7}}, seccomp.Allow},
		{"no value", seccomp.Data{Nr: 2, Args: [6]uint64{4}}, kill},
		{"upper half not looked at", seccomp.Data{Nr: 2, Args: [6]uint64{1<<32 | 3}}, seccomp.Allow},
		{"both", seccomp.Data{Nr: 3, Args: [6]uint64{1: 1, 5: 4}}, seccomp.Allow},
		{"only the first", seccomp.Data{Nr: 3, Args: [6]uint64{1: 1, 5: 3}}, kill},
		{"only the second", seccomp.Data{Nr: 3, Args: [6]uint64{1: 2, 5: 2}}, kill},
		{"masked", seccomp.Data{Nr: 4, Args: [6]uint64{2: 3}}, seccomp.Allow},
		{"bits outside the mask", seccomp.Data{Nr: 4, Args: [6]uint64{2: 4}}, kill},
		{"bits in the upper half", seccomp.Data{Nr: 4, Args: [6]uint64{2: 1 << 32}}, kill},
		{"wide", seccomp.Data{Nr: 5, Args: [6]uint64{0xffffffff_00000001}}, seccomp.Allow},
		{"half of wide", seccomp.Data{Nr: 5, Args: [6]uint64{1}}, kill},
		{"first of two rules", seccomp.Data{Nr: 6, Args: [6]uint64{1, 2}}, seccomp.Allow},
		{"second of two rules", seccomp.Data{Nr: 6, Args: [6]uint64{0, 2}}, seccomp.Errno(5)},
		{"neither of two rules", seccomp.Data{Nr: 6}, kill},
		{"an error", seccomp.Data{Nr: 7}, seccomp.Errno(38)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.data.Arch == 0 {
				tt.data.Arch = arch
			}
			if got := evaluate(t, prog, tt.data); got != tt.want {
				t.Errorf("got %#x, want %#x", got, tt.want)
			}
		})
	}
}

func TestProgramRefuses(t *testing.T) {
	many := make([]uint64, 300)
	for i := range many {
		many[i] = uint64(i)
	}
	for _, tt := range []struct {
		name string
		cond seccomp.Condition
		want string
	}{
		{"no values", seccomp.Condition{Arg: 1}, "no values are allowed"},
		{"argument", seccomp.Condition{Arg: 6, Values: []uint64{1}}, "0 to 5"},
		{"mask", seccomp.Condition{Mask: 1, Values: []uint64{2}}, "outside the mask"},
		{"narrow", seccomp.Condition{Values: []uint64{1 << 32}}, "more than 32 bits"},
		{"halves", seccomp.Condition{Wide: true, Values: []uint64{1, 1 << 32}}, "upper half"},
		{"too many", seccomp.Condition{Values: many}, "a jump spans 255"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := seccomp.Policy{Rules: []seccomp.Rule{{Name: "it", When: []seccomp.Condition{tt.cond}}}}.Program()
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "it") {
				t.Errorf("got %v, want it to name the rule and say %q", err, tt.want)
			}
		})
	}
}

// direct is the policy's meaning, without a program.
func direct(p seccomp.Policy, d seccomp.Data) seccomp.Action {
	if d.Arch != arch || p.X32 && d.Nr >= 0x40000000 {
		return seccomp.KillProcess
	}
	for _, r := range p.Rules {
		holds := r.Nr == d.Nr
		for _, c := range r.When {
			v, mask := d.Args[c.Arg], c.Mask
			if mask == 0 {
				mask = ^uint64(0)
			}
			if !c.Wide {
				v, mask = v&0xffffffff, mask&0xffffffff
			}
			found := false
			for _, want := range c.Values {
				found = found || v&mask == want
			}
			holds = holds && found
		}
		if holds {
			if r.Action != 0 {
				return r.Action
			}
			return seccomp.Allow
		}
	}
	if p.Default != 0 {
		return p.Default
	}
	return seccomp.KillProcess
}

// FuzzProgram holds random policies' programs to their direct meaning.
func FuzzProgram(f *testing.F) {
	for i := range uint64(50) {
		f.Add(i, i*7)
	}
	f.Fuzz(func(t *testing.T, seed1, seed2 uint64) {
		r := rand.New(rand.NewPCG(seed1, seed2))
		p := seccomp.Policy{X32: r.IntN(2) == 0}
		if r.IntN(3) == 0 {
			p.Default = seccomp.Trap
		}
		small := func() uint64 { return uint64(r.IntN(4)) }
		for range r.IntN(8) {
			rule := seccomp.Rule{Name: "it", Nr: uint32(r.IntN(6)), Action: []seccomp.Action{0, seccomp.Errno(1)}[r.IntN(2)]}
			for range r.IntN(3) {
				c := seccomp.Condition{Arg: r.IntN(6), Wide: r.IntN(2) == 0, Mask: []uint64{0, 3, 1}[r.IntN(3)]}
				high := uint64(0)
				if c.Wide && c.Mask == 0 {
					high = small() << 32
				}
				for range 1 + r.IntN(3) {
					v := small()
					if c.Mask != 0 {
						v &= c.Mask
					}
					c.Values = append(c.Values, high|v)
				}
				rule.When = append(rule.When, c)
			}
			p.Rules = append(p.Rules, rule)
		}
		p.Arch = arch
		prog := program(t, p)
		for range 50 {
			d := seccomp.Data{Nr: uint32(r.IntN(7)), Arch: arch}
			switch r.IntN(10) {
			case 0:
				d.Arch++
			case 1:
				d.Nr |= 0x40000000
			}
			for i := range d.Args {
				d.Args[i] = small()<<32*uint64(r.IntN(2)) | small()
			}
			if got, want := evaluate(t, prog, d), direct(p, d); got != want {
				t.Fatalf("got %#x, want %#x for %+v under %+v", got, want, d, p)
			}
		}
	})
}
