//go:build !linux || !(amd64 || arm64)

package lockdown

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
)

func reasonPlatform(what string) string {
	return fmt.Sprintf("%s is not implemented on %s/%s", what, runtime.GOOS, runtime.GOARCH)
}

func skip(p Profile, name string) bool { return slices.Contains(p.Skip, name) }

func apply(_ Profile, environment Layer) ([]Layer, error) {
	layers := allInactive(workerLayers, reasonPlatform("this layer"))
	layers[slices.Index(workerLayers, LayerEnvironment)] = environment
	return layers, nil
}

func inspectHost(o HostOptions) (attributes, []Layer) {
	return attributes{}, inspectOther(o)
}

func (s *Spawn) sysProcAttr(_, _ uint32) *syscall.SysProcAttr { return otherAttr() }

// onMainThread does not matter where threads carry nothing.
func onMainThread() bool { return false }

// ConfineThread confines the calling thread where the platform can.
func ConfineThread(...string) ([]Layer, error) {
	return allInactive([]string{LayerConfinedSpawn}, reasonPlatform("confining a thread")), nil
}

// Verify looks at a worker from outside. On this platform nothing can be seen
// from there, and no layer that would have to be is ever reported active.
func Verify(_ int, r Report) (Report, error) { return newReport(r.Layers), nil }

// VerifyExec is Verify.
func VerifyExec(pid int, r Report) (Report, error) { return Verify(pid, r) }

// Probe says which layers this machine can give.
func Probe() Report {
	return newReport(allInactive(workerLayers, reasonPlatform("this layer"))).With(active(LayerEnvironment))
}

// Best is the strongest level that this machine can give.
func Best() Level { return Probe().Level }

func applyExec(_ Profile, _ Exec, _ Layer) ([]Layer, func() error, error) {
	return nil, nil, fmt.Errorf("%s", reasonPlatform("confining another executable"))
}
