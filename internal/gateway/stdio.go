package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// StdioTransport is one client on a pair of streams: a JSON-RPC message a line.
// Unlike the SDK's it survives a line that is no message, and one that is too
// long: such a line is answered with an error.
type StdioTransport struct {
	In  io.ReadCloser
	Out io.WriteCloser
	// MaxFrame is the size of one line, in bytes. Default 32 MiB.
	MaxFrame int
	// Logger gets what is odd. Nil discards.
	Logger *slog.Logger
}

// Connect implements mcp.Transport.
func (t *StdioTransport) Connect(context.Context) (mcp.Connection, error) {
	c := &stdioConn{
		in: t.In, out: t.Out, max: t.MaxFrame, log: t.Logger,
		lines: make(chan line), closed: make(chan struct{}),
	}
	setDefault(&c.max, 32<<20)
	if c.max < 0 {
		return nil, fmt.Errorf("gateway: StdioTransport.MaxFrame is %d: it must be positive, or 0 for the default", t.MaxFrame)
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	go c.scan()
	return c, nil
}

type line struct {
	messages []jsonrpc.Message
	err      error
}

type stdioConn struct {
	in  io.ReadCloser
	out io.WriteCloser
	max int
	log *slog.Logger

	lines chan line
	queue []jsonrpc.Message // the rest of a batch; the reader's own

	writing   sync.Mutex
	closeOnce sync.Once
	closed    chan struct{}
	closeErr  error
}

func (c *stdioConn) SessionID() string { return "" }

// scan reads lines until the stream ends. Where closing the stream does not
// end a read, as with a terminal, it lives as long as the process.
func (c *stdioConn) scan() {
	r := bufio.NewReaderSize(c.in, 64<<10)
	for {
		text, tooLong, err := readLine(r, c.max)
		var l line
		switch {
		case tooLong:
			c.refuse(jsonrpc.CodeInvalidRequest, fmt.Sprintf("the message is longer than %d bytes", c.max))
		case len(bytes.TrimSpace(text)) > 0:
			l.messages = c.decode(text)
		}
		if err != nil {
			l.err = err
		}
		if len(l.messages) == 0 && l.err == nil {
			continue
		}
		select {
		case c.lines <- l:
		case <-c.closed:
			return
		}
		if l.err != nil {
			return
		}
	}
}

// readLine reads up to a line's end. What is over max is read and dropped.
func readLine(r *bufio.Reader, max int) (text []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong && len(text)+len(part) > max {
			tooLong, text = true, nil
		}
		if !tooLong {
			text = append(text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, tooLong, err
		}
	}
}

// decode reads a message, or the messages of a batch. Their answers are not
// gathered to a batch again: a client of the one protocol version that has
// batches tells answers apart by their ids like any other.
func (c *stdioConn) decode(text []byte) []jsonrpc.Message {
	parts := []json.RawMessage{text}
	if text = bytes.TrimSpace(text); text[0] == '[' {
		parts = nil
		if err := json.Unmarshal(text, &parts); err != nil {
			c.refuse(jsonrpc.CodeParseError, "the line is not JSON: "+err.Error())
			return nil
		}
		if len(parts) == 0 {
			c.refuse(jsonrpc.CodeInvalidRequest, "the batch is empty")
		}
	}
	var messages []jsonrpc.Message
	for _, p := range parts {
		msg, err := jsonrpc.DecodeMessage(p)
		switch {
		case err == nil:
			messages = append(messages, msg)
		case json.Valid(p):
			c.refuse(jsonrpc.CodeInvalidRequest, "the line is no JSON-RPC message: "+err.Error())
		default:
			c.refuse(jsonrpc.CodeParseError, "the line is not JSON")
		}
	}
	return messages
}

// refuse answers what has no id that could be read.
func (c *stdioConn) refuse(code int64, why string) {
	c.log.Warn("a line of the client was refused", "why", why)
	answer, err := json.Marshal(struct {
		Version string `json:"jsonrpc"`
		ID      any    `json:"id"`
		Error   any    `json:"error"`
	}{"2.0", nil, map[string]any{"code": code, "message": why}})
	if err != nil {
		panic("gateway: strings always marshal: " + err.Error())
	}
	// If the client does not take it, its other answers fail too.
	_ = c.write(answer)
}

func (c *stdioConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	for len(c.queue) == 0 {
		select {
		case l := <-c.lines:
			// An error comes with the next read, as the stream stays ended.
			if c.queue = l.messages; len(c.queue) == 0 {
				return nil, l.err
			}
			if l.err != nil {
				c.again(l.err)
			}
		case <-c.closed:
			return nil, io.EOF
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	msg := c.queue[0]
	c.queue = c.queue[1:]
	return msg, nil
}

// again has the next read of lines find err.
func (c *stdioConn) again(err error) {
	c.lines = make(chan line, 1)
	c.lines <- line{err: err}
}

func (c *stdioConn) Write(ctx context.Context, msg jsonrpc.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	text, err := jsonrpc.EncodeMessage(msg)
	if err != nil {
		return fmt.Errorf("writing a message: %w", err)
	}
	return c.write(text)
}

func (c *stdioConn) write(text []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if _, err := c.out.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("writing to the client: %w", err)
	}
	return nil
}

func (c *stdioConn) Close() error {
	c.closeOnce.Do(func() {
		close(c.closed)
		c.closeErr = errors.Join(c.in.Close(), c.out.Close())
	})
	return c.closeErr
}
