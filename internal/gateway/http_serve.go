package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Listen listens on a TCP address, HOST:PORT. Where nobody has to say who he
// is, it must be one that other machines cannot reach, or the configuration
// must insist.
func (h *HTTP) Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	at, ok := l.Addr().(*net.TCPAddr)
	if h.auth == nil && !h.cfg.AllowUnauthenticated && !(ok && at.IP.IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("listening on %s: others can reach it, and nobody has to say who he is: "+
			"configure [[http.token]] or [http.jwt], listen on 127.0.0.1, or set allow_unauthenticated", address), l.Close())
	}
	return l, nil
}

// answering is how long answers may take to be written when executions have
// been ended, and closing how long connections may then take to close.
const (
	answering = 2 * time.Second
	closing   = time.Second
)

// Serve serves connections of l until ctx ends. Then it accepts no more, lets
// executions go on for Config.Drain, ends those that are left with
// ShuttingDown, closes the Gateway and all connections, and returns when
// nothing is left. l is closed in any case. The error is nil where ctx ended.
func (h *HTTP) Serve(ctx context.Context, l net.Listener) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := h.server(requests)
	accepted := limit(l, h.cfg.MaxConnections, h.cfg.MaxConnectionsPerAddress)
	if h.cfg.TLS != nil {
		accepted = tls.NewListener(accepted, server.TLSConfig)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(accepted) }()
	var failed error
	select {
	case err := <-served:
		failed = fmt.Errorf("serving over HTTP: %w", err)
	case <-ctx.Done():
		h.draining.Store(true)
		_ = accepted.Close() // connections that there are live on
		<-served
	}
	h.draining.Store(true)
	h.log.Info("shutting down", "drain", h.cfg.Drain)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(h.cfg.Drain, 0))
	h.g.Drain(patience)
	cancel()
	h.answered()
	cut() // streams on which nothing comes any more
	last, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if server.Shutdown(last) != nil {
		_ = server.Close() // those that are left do not read
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	err := h.g.Close(ended)
	h.Close()
	return errors.Join(failed, err)
}

// answered waits until the answers have been written, for a while.
func (h *HTTP) answered() {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for patience := time.Now().Add(answering); h.posts.Load() > 0 && time.Now().Before(patience); {
		<-tick.C
	}
}

func (h *HTTP) server(requests context.Context) *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	// A proxy in front of us may speak HTTP/2 without TLS.
	protocols.SetUnencryptedHTTP2(h.cfg.TLS == nil)
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: h.cfg.HeaderTimeout,
		IdleTimeout:       h.cfg.IdleTimeout,
		MaxHeaderBytes:    int(h.cfg.MaxHeader),
		Protocols:         protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 250,
			SendPingTimeout:      h.cfg.IdleTimeout,
			WriteByteTimeout:     h.cfg.WriteTimeout,
		},
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    log.New(wireLog{h.log}, "", 0),
	}
	if h.cfg.TLS != nil {
		s.TLSConfig = h.cfg.TLS.Clone()
		if len(s.TLSConfig.NextProtos) == 0 {
			s.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
		}
	}
	return s
}

// wireLog is where net/http says what it has to. What clients do wrong on the
// wire is theirs, and so not worth a line; a panic is ours.
type wireLog struct{ log *slog.Logger }

func (w wireLog) Write(p []byte) (int, error) {
	text, level := strings.TrimSuffix(string(p), "\n"), slog.LevelDebug
	if strings.Contains(text, ": panic serving ") {
		level = slog.LevelError
	}
	w.log.Log(context.Background(), level, text)
	return len(p), nil
}

// limit returns a listener of which so many connections may be open at once;
// further ones wait to be accepted. Of one address there may be so many, where
// that is not 0; further ones are closed. (The listener of x/net hides that the
// half of a TCP connection can be closed, without which a client that still
// sends may not get to read why it was refused.)
func limit(l net.Listener, most, perAddress int) net.Listener {
	return &limited{
		Listener: l, slots: make(chan struct{}, most), closed: make(chan struct{}), perAddress: perAddress, of: map[netip.Addr]int{},
	}
}

type limited struct {
	net.Listener
	slots      chan struct{} // has one in it for each open connection
	once       sync.Once
	closed     chan struct{}
	perAddress int

	mu sync.Mutex
	of map[netip.Addr]int // open connections
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			return nil, err
		}
		from := addressOf(c)
		if l.enter(from) {
			return &limitedConn{Conn: c, l: l, from: from}, nil
		}
		_ = c.Close()
	}
}

// addressOf returns whose connection this is. Of IPv6 one client has a whole
// network.
func addressOf(c net.Conn) netip.Addr {
	at, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	a := at.AddrPort().Addr().Unmap().WithZone("")
	if a.Is6() {
		a = netip.PrefixFrom(a, 64).Masked().Addr()
	}
	return a
}

func (l *limited) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perAddress > 0 && l.of[from] >= l.perAddress {
		return false
	}
	l.of[from]++
	return true
}

func (l *limited) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[from]--; l.of[from] == 0 {
		delete(l.of, from)
	}
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	l    *limited
	from netip.Addr
	once sync.Once
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.l.leave(c.from)
		<-c.l.slots
	})
	return err
}

// CloseWrite closes the half on which we send.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
