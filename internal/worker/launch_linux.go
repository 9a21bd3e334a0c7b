package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/autoclave-run/autoclave/internal/lockdown"
	"github.com/autoclave-run/autoclave/internal/node"
)

// nodeFD is the descriptor at which a host hands over the node executable.
const nodeFD = 4

// launch locks this process down and makes it Node.js. What it needs beside is
// started first, as nothing can be started later: the shaper. It returns only
// where it failed.
func launch(boot Boot) error {
	unix.CloseOnExec(nodeFD)
	toShaper, fromShaper, err := startShaper(boot)
	if err != nil {
		return fmt.Errorf("starting the shaper: %w", err)
	}
	bundle, err := node.Bundle()
	if err != nil {
		return err
	}
	texts, err := memoryFile(bundle)
	if err != nil {
		return err
	}
	empty, err := memoryFile(nil)
	if err != nil {
		return err
	}
	var message [2]int
	if err := unix.Pipe2(message[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	// Node.js does not start in a directory without a name. In this one it can
	// open nothing: that is landlock's to see to.
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("changing to the root directory: %w", err)
	}
	keep := []int{texts, empty, message[0], toShaper, fromShaper}
	reserve := boot.Node.CodeRange
	if boot.Node.Jitless {
		reserve = 0
	}
	exec, report, err := lockdown.ApplyExec(boot.Lockdown, lockdown.Exec{
		File: nodeFD, Arguments: node.Arguments(texts, message[0], empty, boot.Node.Jitless), Environment: node.Environment(empty),
		Keep: keep, Readable: boot.Node.Readable, ExecutableMemory: !boot.Node.Jitless, Reserve: reserve,
	})
	if errors.Is(err, lockdown.ErrParentGone) {
		os.Exit(lockdown.ExitParentGone)
	}
	if err != nil {
		return fmt.Errorf("locking down: %w", err)
	}
	raw, err := json.Marshal(report.With(boot.HostLayers...))
	if err != nil {
		return fmt.Errorf("encoding the lockdown report: %w", err)
	}
	told, err := json.Marshal(node.Boot{
		Heap: boot.Heap, MaxFrame: boot.MaxFrame, Lazy: boot.Lazy, Stock: boot.Node.Stock, Report: raw,
		ShaperIn: toShaper, ShaperOut: fromShaper,
	})
	if err != nil {
		return fmt.Errorf("encoding the boot message: %w", err)
	}
	// It is well below what a pipe holds.
	if _, err := unix.Write(message[1], told); err != nil {
		return fmt.Errorf("writing the boot message: %w", err)
	}
	return fmt.Errorf("executing node: %w", exec())
}

// startShaper starts a worker of this executable that is locked down as any
// other, and returns the descriptors of its input and output.
func startShaper(boot Boot) (in, out int, err error) {
	var pipes [3][2]int
	for i := range pipes {
		if err := unix.Pipe2(pipes[i][:], unix.O_CLOEXEC); err != nil {
			return 0, 0, fmt.Errorf("making a pipe: %w", err)
		}
	}
	profile := boot.Lockdown
	profile.HeapLimit = shaperHeap
	msg, err := Boot{Lockdown: profile, Shape: true, MaxFrame: boot.MaxFrame}.Encode()
	if err != nil {
		return 0, 0, err
	}
	if _, err := unix.Write(pipes[2][1], msg); err != nil {
		return 0, 0, fmt.Errorf("writing its boot message: %w", err)
	}
	_, err = syscall.ForkExec("/proc/self/exe", []string{Argv0}, &syscall.ProcAttr{
		Env: []string{}, Files: []uintptr{uintptr(pipes[0][0]), uintptr(pipes[1][1]), 2, uintptr(pipes[2][0])},
	})
	if err != nil {
		return 0, 0, err
	}
	for _, fd := range []int{pipes[0][0], pipes[1][1], pipes[2][0], pipes[2][1]} {
		_ = unix.Close(fd)
	}
	return pipes[0][1], pipes[1][0], nil
}

// memoryFile returns a file that has no name and that nobody can change.
func memoryFile(content []byte) (int, error) {
	fd, err := unix.MemfdCreate("autoclave", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return 0, fmt.Errorf("making a file in memory: %w", err)
	}
	for at := 0; at < len(content); {
		n, err := unix.Write(fd, content[at:])
		if err != nil {
			return 0, fmt.Errorf("writing a file in memory: %w", err)
		}
		at += n
	}
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return 0, fmt.Errorf("rewinding a file in memory: %w", err)
	}
	const all = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, all); err != nil {
		return 0, fmt.Errorf("sealing a file in memory: %w", err)
	}
	return fd, nil
}
