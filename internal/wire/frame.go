// Package wire is the protocol between the host and a worker: frames, message
// headers and the check of JSON bodies. PROTOCOL.md is its full text.
//
// It knows how bytes are laid out and nothing else: no limits of its own
// beyond those it is given, no processes, no engine, no policy about what a
// message means.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// MaxHeader bounds the JSON header of a frame, in bytes, on both sides.
	MaxHeader = 64 << 10
	// DefaultMaxFrame bounds all that follows the length field, in bytes.
	DefaultMaxFrame = 32 << 20

	prefixSize = 8 // u32 length, u32 header length
	readBuffer = 16 << 10
)

// A ViolationError says that the peer broke the protocol. The connection is of
// no further use: nobody knows where the next frame begins.
type ViolationError struct{ Reason string }

func (e *ViolationError) Error() string { return "protocol violation: " + e.Reason }

func violation(format string, args ...any) error {
	return &ViolationError{Reason: fmt.Sprintf(format, args...)}
}

// Reader reads frames. It is not safe for concurrent use.
//
// A read that fails with a timeout loses nothing: the next call of Next goes
// on in the middle of the frame.
type Reader struct {
	src io.Reader
	max int

	// BodyLimit, if set, is asked for the most that a message's body may
	// have, in bytes, when its header is known and before memory is taken for
	// the body. A negative answer refuses the message whatever its size.
	BodyLimit func(*Header) int

	buf  []byte // buf[r:w] is read and not yet used
	r, w int

	headerBytes int64

	// The frame in progress.
	header *Header
	body   []byte
	have   int // bytes of body that are there
}

// NewReader reads frames from src. maxFrame bounds a frame in bytes (its
// length field); zero means DefaultMaxFrame.
func NewReader(src io.Reader, maxFrame int) *Reader {
	if maxFrame <= 0 {
		maxFrame = DefaultMaxFrame
	}
	return &Reader{src: src, max: maxFrame, buf: make([]byte, readBuffer)}
}

// Buffered reports whether Next can begin without reading from the source.
func (r *Reader) Buffered() bool { return r.w > r.r }

// HeaderBytes is the size of all headers that were read so far.
func (r *Reader) HeaderBytes() int64 { return r.headerBytes }

// Next returns the next frame. The header and the body are the caller's to
// keep; the body is nil where it is empty. The end of the source between two
// frames is io.EOF, in the middle of one io.ErrUnexpectedEOF.
func (r *Reader) Next() (*Header, []byte, error) {
	if r.header == nil {
		if err := r.readHeader(); err != nil {
			return nil, nil, err
		}
	}
	for r.have < len(r.body) {
		n, err := r.src.Read(r.body[r.have:])
		r.have += n
		if r.have < len(r.body) && err != nil {
			return nil, nil, midFrame(err)
		}
	}
	h, body := r.header, r.body
	r.header, r.body, r.have = nil, nil, 0
	return h, body, nil
}

// readHeader reads the prefix and the header, takes the memory for the body
// and moves into it what is buffered.
func (r *Reader) readHeader() error {
	if err := r.fill(prefixSize); err != nil {
		return err
	}
	length := int64(binary.BigEndian.Uint32(r.buf[r.r:]))
	headerLen := int64(binary.BigEndian.Uint32(r.buf[r.r+4:]))
	switch {
	case length > int64(r.max):
		return violation("frame of %d bytes, at most %d are allowed", length, r.max)
	case headerLen > MaxHeader:
		return violation("header of %d bytes, at most %d are allowed", headerLen, MaxHeader)
	case length < 4+headerLen || headerLen == 0:
		return violation("frame of %d bytes cannot hold a header of %d", length, headerLen)
	}
	if err := r.fill(prefixSize + int(headerLen)); err != nil {
		return err
	}
	raw := r.buf[r.r+prefixSize : r.r+prefixSize+int(headerLen)]
	h := new(Header)
	if err := decodeHeader(raw, h); err != nil {
		return violation("header is not a JSON object of the protocol: %v", err)
	}
	if h.Type == "" {
		return violation("header without a type")
	}
	bodyLen := int(length - 4 - headerLen)
	if r.BodyLimit != nil {
		if limit := r.BodyLimit(h); bodyLen > limit {
			return &TooLargeError{Header: h, Size: bodyLen, Limit: limit}
		}
	}
	r.r += prefixSize + int(headerLen)
	r.header = h
	r.headerBytes += headerLen
	if bodyLen > 0 {
		r.body = make([]byte, bodyLen)
		r.have = copy(r.body, r.buf[r.r:r.w])
		r.r += r.have
	}
	return nil
}

// A TooLargeError is a body over what BodyLimit allows. It names the message,
// so that the caller can say which limit it was; the frame is not read.
type TooLargeError struct {
	Header *Header
	Size   int
	Limit  int
}

func (e *TooLargeError) Error() string {
	t := e.Header.Type
	if len(t) > 64 {
		t = t[:64] + "…"
	}
	return fmt.Sprintf("%q message with a body of %d bytes, at most %d are allowed", string(t), e.Size, e.Limit)
}

// fill makes at least n bytes available at buf[r.r:]. n is bounded by
// MaxHeader and the prefix.
func (r *Reader) fill(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
	}
	if len(r.buf) < n {
		grown := make([]byte, n)
		copy(grown, r.buf[:r.w])
		r.buf = grown
	}
	for r.w < n {
		m, err := r.src.Read(r.buf[r.w:])
		r.w += m
		if r.w < n && err != nil {
			if r.w == 0 && errors.Is(err, io.EOF) {
				return io.EOF
			}
			return midFrame(err)
		}
	}
	return nil
}

func midFrame(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Writer writes frames. It is safe for concurrent use: a frame is never
// interleaved with another. After an error the connection is of no further
// use, since part of a frame may have been written, and every later call
// returns the same error.
type Writer struct {
	mu     sync.Mutex
	dst    io.Writer
	max    int
	buf    []byte
	queued int // bytes at the front of buf that are to go out first
	err    error
}

// NewWriter writes frames of at most maxFrame bytes to dst; zero means
// DefaultMaxFrame.
func NewWriter(dst io.Writer, maxFrame int) *Writer {
	if maxFrame <= 0 {
		maxFrame = DefaultMaxFrame
	}
	return &Writer{dst: dst, max: maxFrame}
}

// coalesce is the size below which header and body go out in one write. It is
// below what a pipe holds, so that one system call carries a small message.
const coalesce = 32 << 10

// ErrFrameTooLarge is wrapped by Write's error for a frame over the limit.
// Nothing was written, and the connection remains good.
var ErrFrameTooLarge = errors.New("frame over the limit")

// Queue holds back a frame without a body until the next Write or Flush: it
// goes out in front of that, in the same system call where both are small.
func (w *Writer) Queue(h *Header) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	buf, err := AppendFrame(w.buf[:w.queued], h, 0)
	if err != nil {
		return err
	}
	w.buf, w.queued = buf, len(buf)
	return nil
}

// Err returns the error that ended the connection, if one has.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Flush writes what Queue has held back.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.queued == 0 {
		return w.err
	}
	return w.out(w.buf[:w.queued], "queued")
}

// Write writes one frame. It returns when all of it is in the pipe.
func (w *Writer) Write(h *Header, body []byte) error { return w.WriteBoth(h, body, nil) }

// WriteBoth writes a frame and right behind it one without a body, in one
// system call where they are small.
func (w *Writer) WriteBoth(h *Header, body []byte, behind *Header) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	buf, err := AppendFrame(w.buf[:w.queued], h, len(body))
	if err != nil {
		return err
	}
	if total := len(buf) - w.queued - 4 + len(body); total > w.max {
		return fmt.Errorf("%w: %s message of %d bytes, at most %d are allowed", ErrFrameTooLarge, h.Type, total, w.max)
	}
	if len(buf)+len(body) <= coalesce {
		buf = append(buf, body...)
		body = nil
		if behind != nil {
			if buf, err = AppendFrame(buf, behind, 0); err != nil {
				return err
			}
			behind = nil
		}
	}
	if cap(buf) <= 4*coalesce {
		w.buf = buf
	}
	if err := w.out(buf, h.Type); err != nil {
		return err
	}
	if len(body) > 0 {
		if err := w.out(body, h.Type); err != nil {
			return err
		}
	}
	if behind == nil {
		return nil
	}
	if buf, err = AppendFrame(w.buf[:0], behind, 0); err != nil {
		return err
	}
	return w.out(buf, behind.Type)
}

func (w *Writer) out(b []byte, t Type) error {
	w.queued = 0
	if _, err := w.dst.Write(b); err != nil {
		w.err = fmt.Errorf("writing a %s message: %w", t, err)
		return w.err
	}
	return nil
}

// AppendFrame appends all of a frame but its body, which must follow and have
// bodyLen bytes.
func AppendFrame(dst []byte, h *Header, bodyLen int) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, prefixSize)...)
	dst, err := appendHeader(dst, h)
	if err != nil {
		return nil, fmt.Errorf("encoding a %s message: %w", h.Type, err)
	}
	headerLen := len(dst) - start - prefixSize
	if headerLen > MaxHeader {
		return nil, fmt.Errorf("%w: header of a %s message has %d bytes, at most %d are allowed", ErrFrameTooLarge, h.Type, headerLen, MaxHeader)
	}
	length := int64(4) + int64(headerLen) + int64(bodyLen)
	if length > 1<<32-1 {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrameTooLarge, length)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(length))
	binary.BigEndian.PutUint32(dst[start+4:], uint32(headerLen))
	return dst, nil
}
