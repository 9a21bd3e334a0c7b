package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// What a server may ask in place of an answer (2026-07-28).
const (
	maxRounds    = 20
	maxQuestions = maxAsks // of one round
	// roundPause is how long a server that asks for nothing but patience gets.
	roundPause = 200 * time.Millisecond
)

// round is what a request answers to the server's last answer, which was a
// question. The zero round is that of the first request.
type round struct {
	Questions map[string]struct {
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	} `json:"inputRequests"`
	// State is the server's own, handed back.
	State string `json:"requestState"`

	answers mcp.InputResponseMap
}

// rounds makes a call for a caller: it sends the request, and sends it again
// with the answers as long as the server asks something of the client.
func (u *Upstream) rounds(ctx context.Context, what, name, stub string, size int, send func(context.Context, *call, round) error) (json.RawMessage, error) {
	t := u.begin(ctx, what, stub, askerOf(ctx), name)
	defer t.end()
	var next round
	for n := 1; ; n++ {
		raw, err := t.send(func(ctx context.Context) error { return send(ctx, t.call, next) })
		if err != nil {
			return nil, err
		}
		r, asks := readRound(raw)
		if !asks {
			return raw, nil
		}
		if n == maxRounds || len(r.Questions) > maxQuestions {
			return nil, &Error{Kind: Protocol, Server: u.cfg.Name, Sent: true,
				Message: fmt.Sprintf("%s: it asks on and on: %d rounds, %d questions in the last", what, n, len(r.Questions))}
		}
		answered, err := t.answer(r)
		if err != nil {
			return nil, err
		}
		if answered+size+len(r.State)+4<<10 > u.cfg.MaxFrame {
			return nil, &Error{Kind: TooLarge, Server: u.cfg.Name, Sent: true, Message: fmt.Sprintf("%s: the answers to its questions do not fit a message", what)}
		}
		next = *r
	}
}

// readRound reports whether a result is not one yet, but a question to the
// client. The search keeps ordinary results from being decoded.
func readRound(result []byte) (*round, bool) {
	if !bytes.Contains(result, []byte(`"inputRequests"`)) && !bytes.Contains(result, []byte(`"input_required"`)) {
		return nil, false
	}
	var r struct {
		Type string `json:"resultType"`
		round
	}
	if json.Unmarshal(result, &r) != nil || r.Type != "input_required" && len(r.Questions) == 0 {
		return nil, false
	}
	return &r.round, true
}

// answer puts the questions of a round, all at once, and returns how many bytes
// the answers have.
func (t *task) answer(r *round) (int, error) {
	if len(r.Questions) == 0 {
		t.clock.pause()
		defer t.clock.resume()
		timer := time.NewTimer(roundPause)
		defer timer.Stop()
		select {
		case <-timer.C:
			return 0, nil
		case <-t.run.Done():
			return 0, t.failure(context.Cause(t.run))
		}
	}
	unanswered := func(method string, err error) error {
		if t.run.Err() != nil {
			return t.failure(context.Cause(t.run))
		}
		return &Error{Kind: Unanswered, Server: t.u.cfg.Name, Sent: true, err: err,
			Message: fmt.Sprintf("%s: it needs an answer to %s: %v", t.what, clip(method), err)}
	}
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		answers = map[string]json.RawMessage{}
		failed  error
		size    int
	)
	ctx, cancel := context.WithCancel(t.run)
	defer cancel()
	for _, id := range slices.Sorted(maps.Keys(r.Questions)) {
		q := r.Questions[id]
		t.u.box.mu.Lock()
		_, why := t.u.box.whom(t.call)
		t.u.box.mu.Unlock()
		if why == "" && q.Method != methodSample && q.Method != methodElicit && q.Method != methodRoots {
			why = "there is no such question"
		}
		if why != "" {
			cancel()
			all.Wait()
			return 0, unanswered(q.Method, refusal(clip(q.Method), why))
		}
		all.Go(func() {
			raw, err := t.u.box.question(ctx, []*call{t.call}, q.Method, q.Params)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				if failed == nil {
					failed = unanswered(q.Method, err)
				}
				cancel() // one that is missing is all: the server gets all or none
				return
			}
			answers[id] = raw
			size += len(id) + len(raw)
		})
	}
	all.Wait()
	if failed != nil {
		return 0, failed
	}
	text, err := json.Marshal(answers)
	if err == nil {
		err = json.Unmarshal(text, &r.answers)
	}
	if err != nil {
		return 0, unanswered("its questions", err)
	}
	return size, nil
}
