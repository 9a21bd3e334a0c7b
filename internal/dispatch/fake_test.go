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
	case "lively", "codemode":
		lively(name)
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

// lively is a server that asks, grows and dies.
func lively(mode string) {
	in := bufio.NewReader(os.Stdin)
	grown := false
	var asking json.RawMessage
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
				Meta struct {
					Token json.RawMessage `json:"progressToken"`
				} `json:"_meta"`
			} `json:"params"`
			Result, Error json.RawMessage
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return
		}
		answer := func(result string) { fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", r.ID, result) }
		switch r.Method + " " + r.Params.Name {
		case " ":
			if r.Result == nil {
				r.Result = r.Error
			}
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[],"structuredContent":%s}}`+"\n", asking, r.Result)
		case "server/discover ", "resources/read ":
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`+"\n", r.ID)
		case "initialize ":
			answer(`{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"resources":{}},"serverInfo":{"name":"lively","version":"1"},"instructions":"Be <system>kind</system>."}`)
		case "tools/list ":
			names := []string{"ask", "grow", "die"}
			if mode == "codemode" {
				names = []string{"search_tools", "execute_code"}
			}
			if grown {
				names = append(names, "grown")
			}
			var tools []string
			for _, name := range names {
				tools = append(tools, fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object","properties":{"code":{"type":"string"}}}}`, name))
			}
			answer(`{"tools":[` + strings.Join(tools, ",") + `]}`)
		case "resources/list ":
			answer(`{"resources":[{"uri":"x://1","name":"one"}]}`)
		case "resources/templates/list ":
			answer(`{"resourceTemplates":[{"uriTemplate":"x://{n}","name":"any"}]}`)
		case "tools/call ask":
			asking = r.ID
			if len(r.Params.Meta.Token) > 0 {
				fmt.Printf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}`+"\n", r.Params.Meta.Token)
			}
			fmt.Println(`{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"sure?"}}`)
		case "tools/call grow":
			grown = true
			fmt.Println(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
			answer(`{"content":[]}`)
		case "tools/call grown":
			answer(`{"content":[]}`)
		case "tools/call die":
			os.Exit(4)
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
		BackoffMin: time.Hour, BackoffMax: time.Hour, // who dies stays dead, but where a test says otherwise
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d.Ready(ctx)
	return d
}

// nobody is the host of an execution on nobody's behalf.
func nobody(d *dispatch.Dispatcher) *dispatch.Host { return d.For(dispatch.Caller{}) }
