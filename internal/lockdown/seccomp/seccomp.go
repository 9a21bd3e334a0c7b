// Package seccomp turns a policy - which system calls, with which arguments -
// into the BPF program of a seccomp filter. It is a pure function from data to
// instructions, the same on every platform, so that a filter can be tested in
// tables without being loaded.
//
// It must not know what the policy is for, nor how a filter is installed.
package seccomp

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// Action is what the kernel does with a system call: a SECCOMP_RET value.
type Action uint32

// The actions that policies use.
const (
	Allow       Action = 0x7fff0000
	KillProcess Action = 0x80000000
	// Trap delivers SIGSYS, which a program can catch: for debugging only.
	Trap Action = 0x00030000
)

// Errno makes the call fail with an error number without being made.
func Errno(n uint16) Action { return 0x00050000 | Action(n) }

// Offsets in the kernel's struct seccomp_data.
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

// x32Bit marks a call of the x32 ABI, which shares amd64's AUDIT_ARCH.
const x32Bit = 0x40000000

// Condition holds when an argument, masked, is one of Values.
type Condition struct {
	// Arg is the argument's index, 0 to 5.
	Arg int
	// Wide compares 64 bits. Without it the upper half is not looked at,
	// which is right only where the kernel takes the argument as an int and
	// does not look at it either.
	Wide bool
	// Mask is applied before the comparison; zero stands for all bits.
	Mask uint64
	// Values are what may be left. Wide values must agree in their upper half.
	Values []uint64
}

// Rule gives an action to one system call where all its conditions hold.
// Several rules of one call are tried in order.
type Rule struct {
	Name   string // for messages
	Nr     uint32
	When   []Condition
	Action Action // zero means Allow
}

// Policy is a whole filter.
type Policy struct {
	// Arch is the AUDIT_ARCH value that calls must carry. Those of another
	// architecture kill the process.
	Arch uint32
	// X32 kills calls of the x32 ABI. It is for amd64.
	X32 bool
	// Rules are tried in order: those of frequent calls come first.
	Rules []Rule
	// Default is for what no rule names; zero means KillProcess.
	Default Action
}

// maxInstructions is the kernel's limit (BPF_MAXINSNS).
const maxInstructions = 4096

// Program returns the filter of the policy.
func (p Policy) Program() ([]bpf.Instruction, error) {
	def := p.Default
	if def == 0 {
		def = KillProcess
	}
	kill := bpf.RetConstant{Val: uint32(KillProcess)}
	prog := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: p.Arch, SkipTrue: 1},
		kill,
		bpf.LoadAbsolute{Off: offNr, Size: 4},
	}
	if p.X32 {
		prog = append(prog, bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32Bit, SkipTrue: 1}, kill)
	}
	seen := map[uint32]bool{}
	for i, r := range p.Rules {
		if seen[r.Nr] {
			continue
		}
		seen[r.Nr] = true
		var alternatives []Rule
		for _, other := range p.Rules[i:] {
			if other.Nr == r.Nr {
				alternatives = append(alternatives, other)
			}
		}
		block, err := call(alternatives, def)
		if err != nil {
			return nil, err
		}
		prog = append(prog, bpf.JumpIf{Cond: bpf.JumpEqual, Val: r.Nr, SkipFalse: uint8(len(block))})
		prog = append(prog, block...)
	}
	prog = append(prog, bpf.RetConstant{Val: uint32(def)})
	if len(prog) > maxInstructions {
		return nil, fmt.Errorf("the filter has %d instructions, the kernel takes %d", len(prog), maxInstructions)
	}
	return prog, nil
}

// call is the part of the program that is run when the number is the rules'.
// It never falls through: each path returns.
func call(rules []Rule, def Action) ([]bpf.Instruction, error) {
	var block []bpf.Instruction
	for _, r := range rules {
		action := r.Action
		if action == 0 {
			action = Allow
		}
		ret := bpf.RetConstant{Val: uint32(action)}
		if len(r.When) == 0 {
			block = append(block, ret)
			return checked(rules[0], block)
		}
		one, err := conditions(r)
		if err != nil {
			return nil, err
		}
		block = append(append(block, one...), ret)
	}
	return checked(rules[0], append(block, bpf.RetConstant{Val: uint32(def)}))
}

// checked refuses a block that a conditional jump cannot skip.
func checked(r Rule, block []bpf.Instruction) ([]bpf.Instruction, error) {
	if len(block) > 255 {
		return nil, fmt.Errorf("the rules of %s take %d instructions, a jump spans 255", r.Name, len(block))
	}
	return block, nil
}

// conditions is the part that falls through to the rule's return where all
// conditions hold, and else skips that return.
func conditions(r Rule) ([]bpf.Instruction, error) {
	// A jump's distance depends on what follows it: build from the end.
	var code []bpf.Instruction
	for i := len(r.When) - 1; i >= 0; i-- {
		c := r.When[i]
		part, err := condition(r, c, len(code)+1)
		if err != nil {
			return nil, err
		}
		code = append(part, code...)
	}
	return code, nil
}

// condition falls through where c holds; where it does not, it skips rest
// instructions more than its own.
func condition(r Rule, c Condition, rest int) ([]bpf.Instruction, error) {
	bad := func(what string) error {
		return fmt.Errorf("the rule of %s, argument %d: %s", r.Name, c.Arg, what)
	}
	if c.Arg < 0 || c.Arg > 5 {
		return nil, bad("system calls have the arguments 0 to 5")
	}
	if len(c.Values) == 0 {
		// An empty list must mean that nothing matches, not that all does.
		return nil, bad("no values are allowed: leave the rule out instead")
	}
	mask := c.Mask
	if mask == 0 {
		mask = ^uint64(0)
	}
	for _, v := range c.Values {
		if v&^mask != 0 {
			return nil, bad(fmt.Sprintf("the value %#x has bits outside the mask %#x", v, mask))
		}
		if !c.Wide && v>>32 != 0 {
			return nil, bad(fmt.Sprintf("the value %#x needs more than 32 bits", v))
		}
		if v>>32 != c.Values[0]>>32 {
			return nil, bad("the values differ in their upper half")
		}
	}
	low := compare(offArgs+8*uint32(c.Arg), uint32(mask), c.Values, rest)
	if !c.Wide {
		return low, nil
	}
	high := compare(offArgs+8*uint32(c.Arg)+4, uint32(mask>>32), []uint64{c.Values[0] >> 32}, rest+len(low))
	return append(high, low...), nil
}

func compare(off, mask uint32, values []uint64, rest int) []bpf.Instruction {
	code := []bpf.Instruction{bpf.LoadAbsolute{Off: off, Size: 4}}
	if mask != ^uint32(0) {
		code = append(code, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask})
	}
	for i, v := range values {
		left := len(values) - 1 - i
		j := bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(v), SkipTrue: uint8(left)}
		if left == 0 {
			j.SkipFalse = uint8(rest)
		}
		code = append(code, j)
	}
	return code
}

// Data is what a filter looks at: the kernel's struct seccomp_data without the
// instruction pointer.
type Data struct {
	Nr   uint32
	Arch uint32
	Args [6]uint64
}

// Evaluate runs a program as the kernel would, without loading it.
func Evaluate(prog []bpf.Instruction, d Data) (Action, error) {
	vm, err := bpf.NewVM(prog)
	if err != nil {
		return 0, fmt.Errorf("checking the filter: %w", err)
	}
	// The kernel loads words in the machine's order, and the low half of an
	// argument comes first on the little-endian machines that are supported;
	// the VM loads big-endian. So each word is laid down big-endian in the
	// kernel's place for it.
	raw := make([]byte, offArgs+8*6)
	put := func(off int, v uint32) {
		raw[off], raw[off+1], raw[off+2], raw[off+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	}
	put(offNr, d.Nr)
	put(offArch, d.Arch)
	for i, a := range d.Args {
		put(offArgs+8*i, uint32(a))
		put(offArgs+8*i+4, uint32(a>>32))
	}
	n, err := vm.Run(raw)
	if err != nil {
		return 0, fmt.Errorf("running the filter: %w", err)
	}
	return Action(uint32(n)), nil
}
