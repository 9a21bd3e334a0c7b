//go:build unix

package quickjs

import "golang.org/x/sys/unix"

// region is address space of our own, outside of Go's heap.
type region []byte

// mapRegion asks for plain private memory and no more: the flags are those
// that a locked-down worker's filter lets through.
func mapRegion(size int) (region, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func (r region) unmap() error { return unix.Munmap(r) }

// discard gives the pages back to the system; they read as zero afterwards.
// lo and hi are multiples of the page size.
func (r region) discard(lo, hi int) {
	if !discardZeroes || unix.Madvise(r[lo:hi], unix.MADV_DONTNEED) != nil {
		clear(r[lo:hi])
	}
}
