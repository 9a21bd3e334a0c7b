package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/autoclave-run/autoclave"
	"github.com/autoclave-run/autoclave/internal/gateway"
	"github.com/autoclave-run/autoclave/pool"
)

func ownRuntime(t *testing.T, p autoclave.PoolConfig) *autoclave.Runtime {
	t.Helper()
	p.HealthCheckTimeout, p.SpawnTimeout = 5*time.Second, 60*time.Second
	rt, err := autoclave.Open(context.Background(), autoclave.Config{Limits: testLimits, Pool: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(context.Background()); err != nil {
			t.Error("closing the runtime:", err)
		}
	})
	return rt
}

func quantiles(times []time.Duration) string {
	if len(times) == 0 {
		return "nothing"
	}
	slices.Sort(times)
	return fmt.Sprintf("n %d, p50 %v, p99 %v, longest %v", len(times),
		times[len(times)/2].Round(10*time.Microsecond), times[len(times)*99/100].Round(10*time.Microsecond), times[len(times)-1].Round(10*time.Microsecond))
}

// mixed are programs as they come, and what they must give.
var mixed = []struct{ code, want string }{
	{`return 1 + 1`, "2"},
	{`return (await tools.s.echo({ n: 7 })).n`, "7"},
	{`const all = await parallel(Array.from({ length: 10 }, (_, i) => () => tools.s.echo({ i })), { settle: true, concurrency: 5 }); return all.length`, "10"},
	{`await stash.put("k", { a: [1, 2, 3] }); return (await stash.get("k")).a.length`, "3"},
	{`console.log("hello"); progress(1, 2, "half"); return "told"`, "told"},
	{`const rows = Array.from({ length: 2000 }, (_, i) => ({ i, g: i % 7 })); return rows.filter(r => r.g === 3).length`, "286"},
	{`const x: number = 20; const f = (a: number): number => a < 2 ? a : f(a - 1) + f(a - 2); return f(x)`, "6765"},
	{`let n = 0; for (let i = 0; i < 5; i++) { try { await tools.s.echo({ i }); n++ } catch (e) { if (e.code !== "UPSTREAM_ERROR") throw e; n++ } } return n`, "5"},
	{`return "x".repeat(30000).length`, "30000"},
}

// fullLoad says whether load tests are to measure, which takes half a minute:
// GATEWAY_LOAD=1 go test -v -run 'HTTPLoad|HTTPFairness' ./internal/gateway
func fullLoad() bool { return os.Getenv("GATEWAY_LOAD") != "" }

// TestHTTPLoad is many sessions of both kinds at once, with clients among them
// that do not read, or are half gone.
func TestHTTPLoad(t *testing.T) {
	sessions, each := 40, 5
	if fullLoad() {
		sessions, each = 200, 20
	}
	for _, oneIn := range []int{0, 10} {
		t.Run(fmt.Sprintf("upstream fails one call in %d", oneIn), func(t *testing.T) {
			rt := ownRuntime(t, autoclave.PoolConfig{})
			var calls atomic.Int64
			tools := map[string]func(context.Context, json.RawMessage) (string, error){
				"s.echo": func(_ context.Context, args json.RawMessage) (string, error) {
					if n := calls.Add(1); oneIn > 0 && n%int64(oneIn) == 0 {
						return "", errors.New("as it sometimes does")
					}
					return string(args), nil
				},
			}
			w := newWeb(t, webSetup{tools: tools, gateway: func(c *gateway.Config) { c.Runtime = rt }, http: gateway.HTTPConfig{Tokens: twoTokens}})
			stopOthers := w.troublesome(10)
			var mu sync.Mutex
			var times []time.Duration
			failed := map[string]int{}
			var wg sync.WaitGroup
			begun := time.Now()
			for i := range sessions {
				token, version := aliceToken, legacy
				if i%2 == 1 {
					token = bobToken
				}
				if i%4 >= 2 {
					version = ""
				}
				cs := w.connect(token, version, nil)
				wg.Go(func() {
					for j := range each {
						p := mixed[(i+j)%len(mixed)]
						start := time.Now()
						res, err := cs.CallTool(context.Background(), withProgress(p.code, fmt.Sprint(i, "-", j)))
						took := time.Since(start)
						mu.Lock()
						times = append(times, took)
						mu.Unlock()
						switch {
						case err != nil:
							t.Errorf("%s: %v", p.code, err)
						case text(res) == p.want:
						case oneIn > 0 && strings.Contains(p.code, "tools.s.echo({ n: 7 })") && strings.HasPrefix(text(res), "UPSTREAM_ERROR: "):
							mu.Lock()
							failed["UPSTREAM_ERROR"]++
							mu.Unlock()
						default:
							t.Errorf("%s: %s, want %s", p.code, text(res), p.want)
						}
					}
					if err := cs.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			took := time.Since(begun)
			t.Logf("%d sessions, %d executions each: %s; %.0f a second; as the upstream failed: %v", sessions, each, quantiles(times), float64(len(times))/took.Seconds(), failed)
			stopOthers()
			eventually(t, "nothing to be left of the sessions", func() bool {
				h := w.handler.Held()
				return h.Sessions == 0 && h.EventSessions == 0 && h.EventBytes == 0 && h.BodyBytes == 0 && h.Gateway == 0 && h.Stashes <= 2
			})
			if s := rt.Stats(); s.Leased != 0 || s.Waiting != 0 {
				t.Errorf("the pool still has %d leased and %d waiting", s.Leased, s.Waiting)
			}
		})
	}
}

// troublesome has clients run programs and not read the answer, or close the
// half of the connection on which they send, until the function that it returns
// is called.
func (w *web) troublesome(n int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				q := statelessExecution(aliceToken, `emit({ type: "image", mimeType: "image/png", data: "A".repeat(1 << 20) }); return 1`)
				c, err := net.Dial("tcp", w.address)
				if err != nil {
					w.t.Error(err)
					return
				}
				if err := w.request(ctx, q).Write(c); err == nil {
					if i%2 == 0 {
						_, _ = bufio.NewReaderSize(c, 16).ReadByte()
					} else {
						_ = c.(*net.TCPConn).CloseWrite()
					}
				}
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
				c.Close()
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// TestHTTPFairness has one principal flood, and another run one program after
// the other: it does not wait in the first one's line.
func TestHTTPFairness(t *testing.T) {
	flood, runs := 100, 10
	if fullLoad() {
		flood, runs = 400, 500
	}
	rt := ownRuntime(t, autoclave.PoolConfig{MinWorkers: 2, MaxWorkers: 2, Reserve: 1})
	tools := map[string]func(context.Context, json.RawMessage) (string, error){
		"s.work": func(ctx context.Context, _ json.RawMessage) (string, error) {
			select {
			case <-time.After(10 * time.Millisecond):
				return "{}", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		},
	}
	w := newWeb(t, webSetup{tools: tools, gateway: func(c *gateway.Config) { c.Runtime = rt }, http: gateway.HTTPConfig{Tokens: twoTokens}})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: flood}}
	t.Cleanup(client.CloseIdleConnections)
	bob := w.connect(bobToken, legacy, nil)
	const code = `await tools.s.work(); return 1`
	var finished atomic.Int64 // of alice's
	measure := func() (times []time.Duration, overtaken []int64) {
		for range runs {
			start, before := time.Now(), finished.Load()
			if got := w.run(bob, code); got != "1" {
				t.Error(got)
			}
			times = append(times, time.Since(start))
			overtaken = append(overtaken, finished.Load()-before)
		}
		return times, overtaken
	}
	alone, _ := measure()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range flood {
		wg.Go(func() {
			for ctx.Err() == nil {
				res, err := client.Do(w.request(ctx, statelessExecution(aliceToken, code)))
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				var b strings.Builder
				_, err = bufio.NewReader(res.Body).WriteTo(&b)
				res.Body.Close()
				if err == nil && strings.Contains(b.String(), `"value":1`) {
					finished.Add(1)
				} else if ctx.Err() == nil {
					t.Errorf("%v %s", err, b.String())
				}
			}
		})
	}
	eventually(t, "a line", func() bool { return rt.Stats().Waiting > flood/2 })
	beside, overtaken := measure()
	t.Logf("alone:          %s", quantiles(alone))
	t.Logf("beside a flood: %s; %d of alice's waited at a time", quantiles(beside), flood)
	slices.Sort(overtaken)
	t.Logf("of alice's programs, %d ended during one of bob's (median), at most %d", overtaken[len(overtaken)/2], overtaken[len(overtaken)-1])
	// She has the other of two workers: what ends meanwhile is what that one runs.
	if m := overtaken[len(overtaken)/2]; m > 4 {
		t.Errorf("bob waits until %d of alice's %d programs are done", m, flood)
	}
	if n := rt.Stats().Killed[pool.ReasonTenant]; n > 1 {
		t.Errorf("%d workers were taken from the one for the other: %+v", n, rt.Stats())
	}
	cancel()
	wg.Wait()
}

// BenchmarkHTTP is one small program after the other, by the SDK's client.
func BenchmarkHTTP(b *testing.B) {
	rt, err := autoclave.Open(context.Background(), autoclave.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer rt.Close(context.Background())
	g, err := gateway.New(gateway.Config{
		Runtime: rt, Catalog: someCatalog,
		NewHost: func(gateway.Caller) (autoclave.Host, error) { return &fakeHost{tools: someTools()}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	h, err := g.NewHTTP(gateway.HTTPConfig{})
	if err != nil {
		b.Fatal(err)
	}
	l, err := h.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.Serve(ctx, l) }()
	defer func() { cancel(); <-served }()
	for name, version := range map[string]string{"sessions": legacy, "stateless": ""} {
		b.Run(name, func(b *testing.B) {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client := mcp.NewClient(&mcp.Implementation{Name: "bench", Version: "1"}, nil)
			cs, err := client.Connect(context.Background(), &mcp.StreamableClientTransport{
				Endpoint: "http://" + l.Addr().String() + "/mcp", HTTPClient: &http.Client{Transport: transport},
			}, &mcp.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				b.Fatal(err)
			}
			defer cs.Close()
			for b.Loop() {
				res, err := cs.CallTool(context.Background(), &mcp.CallToolParams{Name: "execute", Arguments: map[string]any{"code": "return 1"}})
				if err != nil || text(res) != "1" {
					b.Fatal(err, res)
				}
			}
		})
	}
}
