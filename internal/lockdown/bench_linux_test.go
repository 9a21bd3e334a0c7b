//go:build linux && (amd64 || arm64)

package lockdown_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// BenchmarkSpawn is the time from the start of a worker to its first word
// after the lockdown, with no layer, with each alone, and with all, for hosts
// of different sizes. The victim's binary is this test's.
func BenchmarkSpawn(b *testing.B) {
	worker := []string{
		lockdown.LayerDescriptors, lockdown.LayerNoNewPrivs, lockdown.LayerCapabilities, lockdown.LayerNotDumpable,
		lockdown.LayerLandlock, lockdown.LayerRlimits, lockdown.LayerMemory, lockdown.LayerProcesses,
		lockdown.LayerExecMemory, lockdown.LayerSeccomp,
	}
	host := []string{lockdown.LayerUID, lockdown.LayerNamespaces}
	sets := []struct {
		name string
		set  []string
		off  bool
	}{{name: "off", off: true}, {name: "none"}}
	for _, l := range slices.Concat(worker, host, []string{lockdown.LayerConfinedSpawn}) {
		sets = append(sets, struct {
			name string
			set  []string
			off  bool
		}{name: l, set: []string{l}})
	}
	sets = append(sets, struct {
		name string
		set  []string
		off  bool
	}{name: "all", set: slices.Concat(worker, host, []string{lockdown.LayerConfinedSpawn})})
	for _, heap := range []int{0, 50 << 20, 1 << 30} {
		ballast := make([]byte, heap)
		for i := 0; i < len(ballast); i += 4096 {
			ballast[i] = 1
		}
		for _, s := range sets {
			// The layers one by one do not depend on the host's size.
			if heap > 0 && !s.off && s.name != "none" && s.name != "all" && s.name != lockdown.LayerNamespaces {
				continue
			}
			b.Run(fmt.Sprintf("host=%dMB/%s", heap>>20, s.name), func(b *testing.B) {
				missing := func(names []string) []string {
					return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(s.set, n) })
				}
				if os.Geteuid() != 0 && slices.Contains(host, s.name) {
					b.Skip("only root has this layer")
				}
				j := job{Deed: "echo", Profile: lockdown.Profile{Off: s.off, Skip: missing(worker)}}
				sp, err := newSpawner(spawnerOptions{
					host:    lockdown.HostOptions{Off: s.off, Skip: missing(host)},
					confine: slices.Contains(s.set, lockdown.LayerConfinedSpawn),
				})
				if err != nil {
					b.Fatal(err)
				}
				defer sp.close()
				var took []time.Duration
				for b.Loop() {
					start := time.Now()
					v, err := sp.start(j)
					if err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(start))
					b.StopTimer()
					mustEnd(b, v)
					b.StartTimer()
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(took[0].Microseconds()), "min-µs")
				b.ReportMetric(0, "ns/op")
			})
		}
		runtime.KeepAlive(ballast)
	}
}

// BenchmarkVerify is what the host's look at a worker costs.
func BenchmarkVerify(b *testing.B) {
	v := startVictim(b, strictSpawner(b), job{Deed: "echo"})
	var once sync.Once
	for b.Loop() {
		r, err := lockdown.Verify(v.proc.Pid, v.report)
		if err != nil {
			b.Fatal(err)
		}
		once.Do(func() { b.Log(r.Level) })
	}
	mustEnd(b, v)
}
