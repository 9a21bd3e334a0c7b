package dispatch_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/demo"
	"github.com/autoclave-run/autoclave/internal/dispatch"
	"github.com/autoclave-run/autoclave/internal/upstream"
	"go.uber.org/goleak"
)

// fakeVar makes this test binary a server: a demo server, or the odd one.
const fakeVar = "DISPATCH_TEST_FAKE"

const patience = 20 * time.Second

func TestMain(m *testing.M) {
	switch name := os.Getenv(fakeVar); name {
	case "":
		goleak.VerifyTestMain(m)
	case "odd":
		odd()
	case "absent":
		os.Exit(1)
	default:
		if err := demo.Serve(context.Background(), name, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// odd is a server that answers as no library would.
func odd() {
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params struct {
				Name string `json:"name"`
			} `json:"params"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return
		}
		answer := func(result string) { fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", r.ID, result) }
		refuse := func(code int) {
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"so it is"}}`+"\n", r.ID, code)
		}
		switch r.Method + " " + r.Params.Name {
		case "server/discover ":
			refuse(-32601)
		case "initialize ":
			answer(`{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"resources":{}},"serverInfo":{"name":"odd","version":"1"}}`)
		case "tools/list ":
			var tools []string
			for _, name := range []string{"invalid", "deep", "die", "bad-params", "broken", "big", "hang", "read"} {
				tools = append(tools, fmt.Sprintf(`{"name":%q,"description":"%s","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":%t}}`,
					name, `Line one.\nLine */ two.`, name == "read"))
			}
			answer(`{"tools":[` + strings.Join(tools, ",") + `]}`)
		case "resources/list ":
			refuse(-32603)
		case "resources/read ":
			refuse(-32002)
		case "tools/call invalid":
			answer(`{"content":[tru]}`)
		case "tools/call deep":
			answer(`{"content":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`)
		case "tools/call die":
			fmt.Fprintln(os.Stderr, "password=hunter2")
			os.Exit(4)
		case "tools/call bad-params":
			refuse(-32602)
		case "tools/call broken":
			refuse(-32603)
		case "tools/call big":
			answer(`{"content":"` + strings.Repeat("x", 2<<20) + `"}`)
		}
	}
}

// server returns the configuration of a server that this binary is.
func server(t *testing.T, name string) upstream.Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return upstream.Config{
		Name: name, Command: []string{self}, Env: []string{fakeVar + "=" + name},
		ConnectTimeout: patience, Grace: 200 * time.Millisecond, MaxFrame: 1 << 20,
	}
}

func open(t *testing.T, cfgs ...upstream.Config) *dispatch.Dispatcher {
	t.Helper()
	set, err := upstream.OpenSet(t.Context(), cfgs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := set.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	d, err := dispatch.New(dispatch.Config{Upstreams: set})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openReady(t *testing.T, names ...string) *dispatch.Dispatcher {
	t.Helper()
	var cfgs []upstream.Config
	for _, n := range names {
		cfg := server(t, n)
		if n == "sales" {
			cfg.MaxFrame = 0
		}
		cfgs = append(cfgs, cfg)
	}
	d := open(t, cfgs...)
	// A call waits for its server; resources.list waits for all of them.
	if _, err := d.ListResources(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	return d
}
