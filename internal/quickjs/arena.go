package quickjs

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// heap is the engine's memory: one mapping that holds everything the engine
// ever allocates, and the allocator's own records too. So the state of an
// isolate is the bytes from 0 to the top, and to copy them back is to have the
// isolate as it was (see image). Addresses stay valid because the mapping
// never moves.
//
// The allocator is a two-level segregated fit: constant time, neighbours are
// merged at once. Above it the engine has pools of its own for what is smaller
// than 512 bytes, so it sees few and large requests.
//
// It also keeps the heap limit. What goes over it is refused or, if small,
// granted out of a reserve; either way exceeded stays set, whatever the
// program does about the exception.
type heap struct {
	region region
	base   unsafe.Pointer
	addr   uintptr // base as the engine sees it
	size   uint64

	limit    uint64
	peak     uint64 // most bytes in use since reset
	high     uint64 // highest top since reset
	exceeded bool
	// onExceeded is called when exceeded becomes true.
	onExceeded func()
}

const (
	headerSize  = 16
	minBlock    = 32
	slBits      = 4
	slCount     = 1 << slBits
	flShift     = 8 // blocks below 1<<flShift are in the first row, linearly
	flCount     = 34
	freeBit     = 1
	maxRequest  = 1 << 40
	heapReserve = 1 << 20
	// smallRequest is what may be granted out of the reserve.
	smallRequest = 64 << 10
)

// control is the allocator's records, at the start of the mapping. Offsets are
// from the mapping's start; 0 is none.
type control struct {
	inUse uint64
	count uint64
	top   uint64 // everything above has not been used
	last  uint64 // the block that ends at top
	fl    uint64
	sl    [flCount]uint32
	head  [flCount][slCount]uint64
}

// block is the header of a block. size counts the header; its lowest bit is
// set while the block is free, and then the links are in use.
type block struct {
	prev uint64 // the block before it in memory
	size uint64
	// Only in a free block:
	nextFree uint64
	prevFree uint64
}

// arenaSize is how much address space an isolate with that heap limit takes:
// fragmentation, and a large block that grows beside its old self.
func arenaSize(limit int64) int64 {
	const page = 1 << 16
	return (limit + limit/2 + heapReserve + 4<<20 + page - 1) &^ (page - 1)
}

// ArenaSize is how many bytes of private, writable address space an engine
// with that heap limit maps: what a limit on address space or data has to
// leave room for. Only what is touched becomes resident.
func ArenaSize(heapLimit int64) int64 {
	return arenaSize(withDefault(heapLimit, defaultHeap))
}

func newHeap(limit int64) (*heap, error) {
	r, err := mapRegion(int(arenaSize(limit)))
	if err != nil {
		return nil, fmt.Errorf("map %d bytes for the engine's heap: %w", arenaSize(limit), err)
	}
	h := &heap{region: r, limit: uint64(limit), size: uint64(len(r))}
	h.base = unsafe.Pointer(unsafe.SliceData(r))
	h.addr = uintptr(h.base)
	c := h.ctl()
	c.top = (uint64(unsafe.Sizeof(control{})) + 63) &^ 63
	h.high = c.top
	return h, nil
}

func (h *heap) ctl() *control { return (*control)(h.base) }

func (h *heap) at(off uint64) *block { return (*block)(unsafe.Add(h.base, off)) }

// bytes is the mapping from offset lo to hi.
func (h *heap) bytes(lo, hi uint64) []byte { return h.region[lo:hi:hi] }

// index says in which list a free block of that size is.
func index(size uint64) (fl, sl int) {
	if size < 1<<flShift {
		return 0, int(size >> (flShift - slBits))
	}
	log := bits.Len64(size) - 1
	return log - flShift + 1, int(size>>(log-slBits)) & (slCount - 1)
}

// findFree takes a block of at least size out of the free lists, 0 if none.
func (h *heap) findFree(size uint64) uint64 {
	c := h.ctl()
	// Round up to the next list: any block in it fits.
	want := size
	if size >= 1<<flShift {
		want += 1<<(bits.Len64(size)-1-slBits) - 1
	}
	fl, sl := index(want)
	if fl >= flCount {
		return 0
	}
	if m := c.sl[fl] & (^uint32(0) << sl); m != 0 {
		sl = bits.TrailingZeros32(m)
	} else {
		m := c.fl & (^uint64(0) << (fl + 1))
		if m == 0 {
			return 0
		}
		fl = bits.TrailingZeros64(m)
		sl = bits.TrailingZeros32(c.sl[fl])
	}
	off := c.head[fl][sl]
	h.unlink(off)
	return off
}

func (h *heap) unlink(off uint64) {
	c, b := h.ctl(), h.at(off)
	b.size &^= freeBit
	fl, sl := index(b.size)
	if b.prevFree != 0 {
		h.at(b.prevFree).nextFree = b.nextFree
	} else {
		c.head[fl][sl] = b.nextFree
		if b.nextFree == 0 {
			c.sl[fl] &^= 1 << sl
			if c.sl[fl] == 0 {
				c.fl &^= 1 << fl
			}
		}
	}
	if b.nextFree != 0 {
		h.at(b.nextFree).prevFree = b.prevFree
	}
}

func (h *heap) link(off uint64) {
	c, b := h.ctl(), h.at(off)
	fl, sl := index(b.size)
	b.prevFree = 0
	b.nextFree = c.head[fl][sl]
	if b.nextFree != 0 {
		h.at(b.nextFree).prevFree = off
	}
	c.head[fl][sl] = off
	c.sl[fl] |= 1 << sl
	c.fl |= 1 << fl
	b.size |= freeBit
}

// setPrev tells the block after off+size that it follows off.
func (h *heap) setPrev(off, size uint64) {
	c := h.ctl()
	if off+size == c.top {
		c.last = off
	} else {
		h.at(off + size).prev = off
	}
}

// split cuts the used block at off down to size and frees what is left over,
// if it is worth a block.
func (h *heap) split(off, size uint64) {
	b := h.at(off)
	rest := b.size - size
	if rest < minBlock {
		return
	}
	b.size = size
	r := h.at(off + size)
	r.prev, r.size = off, rest
	h.setPrev(off+size, rest)
	h.release(off + size)
}

// release makes the block at off free: merged with its neighbours, in a list
// or given back to what is above the top.
func (h *heap) release(off uint64) {
	c, b := h.ctl(), h.at(off)
	if b.prev != 0 && h.at(b.prev).size&freeBit != 0 {
		prev := b.prev
		h.unlink(prev)
		h.at(prev).size += b.size
		off, b = prev, h.at(prev)
	}
	if next := off + b.size; next < c.top && h.at(next).size&freeBit != 0 {
		h.unlink(next)
		b.size += h.at(next).size
	}
	if off+b.size == c.top {
		c.top, c.last = off, b.prev
		return
	}
	h.setPrev(off, b.size)
	h.link(off)
}

// admit says whether size more bytes may be used, and keeps the records of the
// limit.
func (h *heap) admit(size uint64) bool {
	used := h.ctl().inUse + size
	if used <= h.limit {
		if used > h.peak {
			h.peak = used
		}
		return true
	}
	h.exceed()
	if size <= smallRequest && used <= h.limit+heapReserve {
		h.peak = max(h.peak, used)
		return true
	}
	return false
}

func (h *heap) exceed() {
	if !h.exceeded {
		h.exceeded = true
		if h.onExceeded != nil {
			h.onExceeded()
		}
	}
}

func blockSize(n uint64) uint64 {
	return max((n+headerSize+15)&^15, minBlock)
}

// alloc returns the offset of n bytes, 0 where there is no room.
func (h *heap) alloc(n uint64) uint64 {
	if n > maxRequest {
		h.exceed()
		return 0
	}
	size := blockSize(n)
	if !h.admit(size) {
		return 0
	}
	c := h.ctl()
	off := h.findFree(size)
	if off != 0 {
		h.split(off, size)
	} else {
		if c.top+size > h.size {
			h.exceed()
			return 0
		}
		off = c.top
		b := h.at(off)
		b.prev, b.size = c.last, size
		c.last = off
		c.top += size
		h.high = max(h.high, c.top)
	}
	c.inUse += h.at(off).size
	c.count++
	return off + headerSize
}

// free releases what alloc or realloc returned.
func (h *heap) free(p uint64) {
	c, off := h.ctl(), p-headerSize
	c.inUse -= h.at(off).size
	c.count--
	h.release(off)
}

func (h *heap) usable(p uint64) uint64 { return h.at(p-headerSize).size - headerSize }

// realloc changes the size of a block, in place where the neighbour allows.
// Where it returns 0 the old block is as it was.
func (h *heap) realloc(p, n uint64) uint64 {
	if n > maxRequest {
		h.exceed()
		return 0
	}
	c, off := h.ctl(), p-headerSize
	b := h.at(off)
	old, size := b.size, blockSize(n)
	if size <= old {
		if old-size >= 64 {
			h.split(off, size)
			c.inUse -= old - h.at(off).size
		}
		return p
	}
	if !h.admit(size - old) {
		return 0
	}
	if off+old == c.top {
		if off+size <= h.size {
			b.size = size
			c.top = off + size
			h.high = max(h.high, c.top)
			c.inUse += size - old
			return p
		}
	} else if next := h.at(off + old); next.size&freeBit != 0 && old+next.size&^freeBit >= size {
		h.unlink(off + old)
		b.size += next.size
		h.setPrev(off, b.size)
		h.split(off, size)
		c.inUse += h.at(off).size - old
		return p
	}
	q := h.alloc(n)
	if q == 0 {
		return 0
	}
	copy(h.region[q:q+old-headerSize], h.region[p:p+old-headerSize])
	h.free(p)
	return q
}

// check walks all blocks and says what is wrong with the records. Tests use it.
func (h *heap) check() error {
	c := h.ctl()
	off := (uint64(unsafe.Sizeof(control{})) + 63) &^ 63
	var prev, used, count uint64
	wasFree := false
	for off < c.top {
		b := h.at(off)
		size, isFree := b.size&^freeBit, b.size&freeBit != 0
		switch {
		case b.prev != prev:
			return fmt.Errorf("block %d says that %d is before it, not %d", off, b.prev, prev)
		case size < minBlock || size%16 != 0 || off+size > c.top:
			return fmt.Errorf("block %d has size %d", off, size)
		case isFree && wasFree:
			return fmt.Errorf("blocks %d and %d are free and not merged", prev, off)
		case isFree && off+size == c.top:
			return fmt.Errorf("block %d is free below the top", off)
		}
		if !isFree {
			used += size
			count++
		}
		prev, wasFree = off, isFree
		off += size
	}
	if prev != c.last || used != c.inUse || count != c.count {
		return fmt.Errorf("walked to %d, %d bytes in %d blocks; recorded %d, %d, %d", prev, used, count, c.last, c.inUse, c.count)
	}
	return nil
}
