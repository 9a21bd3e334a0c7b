package dispatch

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	autoclave "github.com/autoclave-run/autoclave"
)

// admit takes the call out of rates and budgets, or says why there is no room.
func (h *Host) admit(c *hostCall) error {
	r := &h.rules.Rates
	now := time.Now()
	var taken []*rate.Reservation
	for _, b := range []struct {
		limiter *rate.Limiter
		of      string
	}{
		{h.session.limiter(r.PerSession), "this session"},
		{h.d.limiter([2]string{c.server}, r.server(c.server)), "the server " + c.server},
		{h.toolLimiter(c), c.server + "." + c.name},
	} {
		if b.limiter == nil {
			continue
		}
		res := b.limiter.ReserveN(now, 1)
		if res.OK() && res.DelayFrom(now) == 0 {
			taken = append(taken, res)
			continue
		}
		wait := time.Second
		if res.OK() {
			wait = res.DelayFrom(now)
			res.CancelAt(now)
		}
		for _, t := range taken {
			t.CancelAt(now)
		}
		e := autoclave.Errorf(autoclave.RateLimited, "too many calls: %s is limited", b.of)
		e.Retryable, e.RetryAfter = true, wait
		e.Suggestion = fmt.Sprintf("Try again in %v, as with await sleep(%d).", max(wait.Round(time.Millisecond), time.Millisecond), max(wait.Milliseconds()+1, 1))
		return e
	}
	if err := h.spend(c, 1, int64(len(c.args)), "before it was made"); err != nil {
		for _, t := range taken {
			t.CancelAt(now)
		}
		return err
	}
	return nil
}

func (r *Rates) server(name string) Rate {
	if own, ok := r.Servers[name]; ok && own != (Rate{}) {
		return own
	}
	return r.PerServer
}

func (h *Host) toolLimiter(c *hostCall) *rate.Limiter {
	if c.kind != kindTool {
		return nil
	}
	r := h.rules.Rates.PerTool
	if own, ok := h.rules.Rates.Tools[c.server][c.name]; ok && own != (Rate{}) {
		r = own
	}
	return h.d.limiter([2]string{c.server, c.name}, r)
}

// spend takes bytes, and a call where it is one, out of the budgets of the
// execution and of its session.
func (h *Host) spend(c *hostCall, calls, bytes int64, when string) error {
	r := &h.rules.Rates
	if r.ExecutionBytes <= 0 && r.SessionBytes <= 0 && r.SessionCalls <= 0 {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	over := func(whose, what string, most int64) error {
		e := autoclave.Errorf(autoclave.RateLimited, "the call was refused %s: the budget of %s is %d %s, and not enough is left", when, whose, most, what)
		e.Suggestion = "Ask for less, or return what you have."
		return e
	}
	if r.ExecutionBytes > 0 && h.bytes+bytes > r.ExecutionBytes {
		if calls == 0 {
			h.bytes = r.ExecutionBytes // it was carried this far: nothing is left
		}
		return over("this program", "bytes", r.ExecutionBytes)
	}
	if ok, what, most := h.session.spend(r, calls, bytes); !ok {
		return over("this session", what, most)
	}
	h.bytes += bytes
	return nil
}
