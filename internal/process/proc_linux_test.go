package process

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestCPUTimeWithoutShaper: a worker whose shaper has ended and was reaped is
// measured all the same, and its clock is not set back.
func TestCPUTimeWithoutShaper(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	shaper := exec.Command(os.Args[0], "-test.run=^$")
	if err := shaper.Run(); err != nil {
		t.Fatal(err)
	}
	const seen = time.Hour
	w := &Worker{proc: self, shaper: shaper.Process.Pid, shaperCPU: seen}
	if d, ok := w.CPUTime(); !ok || d < seen {
		t.Errorf("got %v, %v", d, ok)
	}
}
