//go:build !linux

package process

import "time"

// awaitExit does nothing where a process cannot be awaited without being
// reaped; os.Process guards against signals to a reaped one by itself.
func awaitExit(int) bool { return false }

// CanMeasureCPU says whether CPUTime works on this platform.
const CanMeasureCPU = false

// CPUTime is not to be had on this platform: the host then relies on the
// wall clock, and on the worker for the limit on CPU time.
func (w *Worker) CPUTime() (time.Duration, bool) { return 0, false }

// Memory is not to be had on this platform.
func (w *Worker) Memory() (int64, bool) { return 0, false }

// onlyChild is for the engine that is on Linux alone.
func onlyChild(int) int { return 0 }

// reapGroup is for the engine that is on Linux alone.
func reapGroup(int) {}
