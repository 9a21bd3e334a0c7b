//go:build !unix

package quickjs

// region is a plain allocation where there is no mmap: large and untouched, so
// the system gives it pages as they are used.
type region []byte

func mapRegion(size int) (region, error) { return make(region, size), nil }

func (r region) unmap() error { return nil }

func (r region) discard(lo, hi int) { clear(r[lo:hi]) }
