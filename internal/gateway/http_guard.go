package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
)

// A web page can make its reader's browser send requests to addresses that
// only the reader reaches, and can give its own name to such an address (DNS
// rebinding). So a request must name a host that is ours, and a page must be
// one that we let in.

// hosts are the names by which requests may call this server, in lower case,
// with a port or without.
type hosts map[string]bool

func newHosts(names []string) hosts {
	h := hosts{}
	for _, n := range names {
		h[strings.ToLower(n)] = true
	}
	return h
}

// allow reports whether the Host of a request that came to the local address
// is ours: one of the configured names, the address itself, or for a loopback
// address any name of that.
func (h hosts) allow(host string, local net.Addr) bool {
	host = strings.ToLower(host)
	name := host
	if n, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
		name = n
	}
	name = strings.Trim(name, "[]")
	if name == "" {
		return false
	}
	if h[host] || h[name] {
		return true
	}
	at, ok := local.(*net.TCPAddr)
	if !ok {
		return false
	}
	here := at.AddrPort().Addr().Unmap()
	if here.IsLoopback() && name == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	return ip == here || ip.IsLoopback() && here.IsLoopback()
}

// originAllowed reports whether the page that sent a request may: one of the
// configured origins, or one that is served under the request's own host, which
// has been checked.
func originAllowed(r *http.Request, allowed []string) bool {
	all := r.Header.Values("Origin")
	if len(all) == 0 {
		return true
	}
	if len(all) > 1 {
		return false
	}
	if slices.ContainsFunc(allowed, func(o string) bool { return strings.EqualFold(o, all[0]) }) {
		return true
	}
	u, err := url.Parse(all[0])
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// shareWith lets the page of an allowed origin read the answer.
func shareWith(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, Retry-After, WWW-Authenticate")
}

// preflight answers a browser that asks what a page may send.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Last-Event-ID, Mcp-Method, Mcp-Name, Mcp-Protocol-Version, Mcp-Session-Id")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// gate bounds how many requests are under way.
type gate struct {
	max, perPrincipal int

	mu    sync.Mutex
	total int
	of    map[string]int
}

func newGate(most, perPrincipal int) *gate {
	return &gate{max: most, perPrincipal: perPrincipal, of: map[string]int{}}
}

// enter begins a request of which nobody knows yet whose it is. Each that
// succeeds needs a leave.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.max {
		return fmt.Errorf("%d requests are under way, which is the most", g.max)
	}
	g.total++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
}

// enterAs says whose a request is. Each that succeeds needs a leaveAs.
func (g *gate) enterAs(principal string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of[principal] >= g.perPrincipal {
		return fmt.Errorf("%d requests of this principal are under way, which is the most", g.perPrincipal)
	}
	g.of[principal]++
	return nil
}

func (g *gate) leaveAs(principal string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of[principal]--; g.of[principal] == 0 {
		delete(g.of, principal)
	}
}

// budget bounds the bytes that are held for clients: those of all, and those of
// one principal.
type budget struct {
	max, perPrincipal int64

	mu    sync.Mutex
	total int64
	of    map[string]int64
}

func newBudget(most, perPrincipal int64) *budget {
	return &budget{max: most, perPrincipal: perPrincipal, of: map[string]int64{}}
}

// hold returns a hold on nothing yet. It has one user, who must drop it.
func (b *budget) hold(principal string) *hold {
	return &hold{budget: b, principal: principal, users: 1}
}

func (b *budget) held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// hold is what one request holds of a budget, until its last user drops it. A
// nil hold is one on nothing.
type hold struct {
	budget    *budget
	principal string

	// What follows is guarded by budget.mu.
	bytes int64
	users int
}

// more adds n bytes, or says why there is no room for them.
func (h *hold) more(n int64) error {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case n == 0: // which leaves no entry behind
		return nil
	case b.total+n > b.max:
		return tooLarge("the requests that are under way are too large together")
	case b.of[h.principal]+n > b.perPrincipal:
		return tooLarge("the requests of this principal that are under way are too large together")
	}
	b.total += n
	b.of[h.principal] += n
	h.bytes += n
	return nil
}

func tooLarge(message string) error {
	return &autoclave.Error{Code: autoclave.Overloaded, RetryAfter: time.Second, Message: message}
}

// keep adds a user.
func (h *hold) keep() {
	if h == nil {
		return
	}
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	h.users++
}

// drop takes a user away.
func (h *hold) drop() {
	if h == nil {
		return
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.users--; h.users > 0 {
		return
	}
	b.total -= h.bytes
	if b.of[h.principal] -= h.bytes; b.of[h.principal] == 0 {
		delete(b.of, h.principal)
	}
}

// bodyExtra is where the SDK carries the hold on a request's body, with the
// token: the context of a request that is handled is that of its session.
const bodyExtra = "autoclave.body"

// bodyOf returns the hold on the body of a request, nil where it did not come
// over HTTP.
func bodyOf(req *mcp.CallToolRequest) *hold {
	if req.Extra == nil || req.Extra.TokenInfo == nil {
		return nil
	}
	h, _ := req.Extra.TokenInfo.Extra[bodyExtra].(*hold)
	return h
}
