//go:build unix

package upstream_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/demo"
	"go.uber.org/goleak"
)

// fakeVar makes this test binary a server: its value says how it behaves.
const fakeVar = "UPSTREAM_TEST_FAKE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(fakeVar); mode != "" {
		os.Exit(serveFake(mode))
	}
	goleak.VerifyTestMain(m)
}

// fakeServer is an MCP server that is written by hand, so that it can say what
// no library would.
type fakeServer struct {
	mode string

	mu        sync.Mutex
	cancelled []json.RawMessage
	sleeper   int
	asking    []json.RawMessage // the calls that wait for an answer of the client
	grown     bool
}

type fakeRequest struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func serveFake(mode string) int {
	s := &fakeServer{mode: mode}
	name, isDemo := strings.CutPrefix(mode, "demo:")
	switch {
	case isDemo:
		if err := demo.Serve(context.Background(), name, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case mode == "exit":
		fmt.Fprintln(os.Stderr, "no such database: \x1b[31mprod\x1b[0m")
		return 3
	case mode == "garbage only":
		for range 1000 {
			fmt.Println("hello, I am a server")
		}
	case mode == "sleeper":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		fmt.Println("ready")
		select {}
	case mode == "stubborn":
		signal.Ignore(syscall.SIGTERM)
		if err := s.startSleeper(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	case mode == "leaves a child":
		if err := s.startSleeper(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	case mode == "greets":
		fmt.Println("Server 1.2 listening on stdio")
		fmt.Println(`{"level":"info","msg":"structured logging on stdout"}`)
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		var r fakeRequest
		if err := json.Unmarshal(line, &r); err != nil {
			fmt.Fprintln(os.Stderr, "fake: bad request:", err)
			return 1
		}
		s.handle(r)
	}
	if mode == "stubborn" {
		select {} // the end of its input is nothing to it
	}
	return 0
}

// startSleeper starts a child that ignores everything but SIGKILL.
func (s *fakeServer) startSleeper() error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fakeVar+"=sleeper")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.sleeper = cmd.Process.Pid
	_, err = bufio.NewReader(out).ReadString('\n')
	return err
}

func (s *fakeServer) write(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Printf(format+"\n", args...)
}

func (s *fakeServer) result(r fakeRequest, result string) {
	s.write(`{"jsonrpc":"2.0","id":%s,"result":%s}`, r.ID, result)
}

func (s *fakeServer) handle(r fakeRequest) {
	switch r.Method {
	case "": // an answer
		if len(s.asking) == 0 {
			return
		}
		call := s.asking[0]
		s.asking = s.asking[1:]
		s.write(`{"jsonrpc":"2.0","id":%s,"result":{"content":[],"structuredContent":{"result":%s,"error":%s}}}`, call, orNull(r.Result), orNull(r.Error))
	case "server/discover":
		if s.mode == "modern, slow" {
			time.Sleep(300 * time.Millisecond)
			s.result(r, `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete"}`)
			return
		}
		if s.mode == "modern" {
			s.result(r, `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete"}`)
			return
		}
		if s.mode != "ignores discover" && s.mode != "mute" {
			s.write(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, r.ID)
		}
	case "initialize":
		if s.mode == "mute" {
			return
		}
		if s.mode == "modern, slow" {
			s.write(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, r.ID)
			return
		}
		s.result(r, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{}},"serverInfo":{"name":"fake","version":"9"},"instructions":"be kind"}`)
	case "notifications/initialized":
		if s.mode == "deaf" {
			select {}
		}
	case "notifications/cancelled":
		var p struct {
			RequestID json.RawMessage `json:"requestId"`
		}
		_ = json.Unmarshal(r.Params, &p)
		s.mu.Lock()
		s.cancelled = append(s.cancelled, p.RequestID)
		s.mu.Unlock()
	case "tools/list":
		var p struct {
			Cursor string `json:"cursor"`
		}
		_ = json.Unmarshal(r.Params, &p)
		switch {
		case s.mode == "many tools":
			s.result(r, `{"tools":[`+strings.Repeat("{},", 5000)+`{}]}`)
		case s.mode == "heavy":
			s.result(r, `{"tools":[],"nextCursor":"`+p.Cursor+`x","pad":"`+strings.Repeat("x", 10<<20)+`"}`)
		case s.mode == "tools are no list":
			s.result(r, `{"tools":7}`)
		case s.mode == "grows":
			more := ""
			if s.grown {
				more = `,{"name":"grown","inputSchema":{"type":"object"}}`
			}
			s.result(r, `{"tools":[{"name":"grow","inputSchema":{"type":"object"}}`+more+`]}`)
		case s.mode == "circle":
			s.result(r, `{"tools":[{"name":"t","inputSchema":{"type":"object"}}],"nextCursor":"again"}`)
		case p.Cursor == "":
			s.result(r, `{"tools":[{"name":"one","description":"the first","inputSchema":{"type":"object","properties":{"z":{},"a":{}}}}],"nextCursor":"2"}`)
		default:
			s.result(r, `{"tools":[{"name":"two","inputSchema":{"type":"object"},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}`)
		}
	case "resources/list":
		s.result(r, `{"resources":[{"uri":"x://1","name":"one","mimeType":"text/plain"}]}`)
	case "resources/templates/list":
		s.result(r, `{"resourceTemplates":[{"uriTemplate":"x://{n}","name":"any"}]}`)
	case "resources/read":
		s.result(r, `{"contents":[{"uri":"x://1","text":"t","zzz":1,"aaa":1e400}]}`)
	case "tools/call":
		var p struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		}
		if err := json.Unmarshal(r.Params, &p); err != nil {
			fmt.Fprintln(os.Stderr, "fake: bad params:", err)
		}
		if s.mode == "modern" {
			s.modern(r, p.Name)
			return
		}
		s.call(r, p.Name, p.Arguments)
	}
}

func (s *fakeServer) call(r fakeRequest, tool string, args json.RawMessage) {
	var a struct {
		N int `json:"n"`
	}
	_ = json.Unmarshal(args, &a)
	ask := func(method, params string) {
		s.asking = append(s.asking, r.ID)
		s.write(`{"jsonrpc":"2.0","id":"q%s","method":%q,"params":%s}`, r.ID, method, params)
	}
	switch tool {
	case "elicit":
		ask("elicitation/create", elicitation)
	case "sample":
		ask("sampling/createMessage", `{"messages":[],"maxTokens":1}`)
	case "roots":
		ask("roots/list", `{}`)
	case "take back":
		ask("elicitation/create", elicitation)
		s.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q%s"}}`, r.ID)
	case "answer all": // what waits for an answer of the client gets one
		for _, id := range s.asking {
			s.write(`{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, id)
		}
		s.asking = nil
		s.result(r, `{"content":[]}`)
	case "report":
		var p struct {
			Meta struct {
				Token json.RawMessage `json:"progressToken"`
			} `json:"_meta"`
		}
		_ = json.Unmarshal(r.Params, &p)
		s.write(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"l","data":{"b":1,"a":2}}}`)
		if len(p.Meta.Token) > 0 {
			s.write(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1,"total":2,"message":"half"}}`, p.Meta.Token)
			s.write(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s1,"progress":1}}`, p.Meta.Token)
			s.write(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"?","progress":1}}`)
		}
		s.result(r, `{"content":[],"structuredContent":{"token":`+orNull(p.Meta.Token)+`}}`)
	case "grow":
		s.grown = true
		s.write(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		s.result(r, `{"content":[]}`)
	case "grown":
		s.result(r, `{"content":[],"grown":true}`)
	case "raw":
		s.result(r, rawResult)
	case "echo":
		s.result(r, `{"content":[],"structuredContent":`+string(args)+`}`)
	case "id last":
		s.write(`{"result":{"content":[]},"jsonrpc":"2.0","id":%s}`, r.ID)
	case "crlf":
		s.write("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[]}}\r", r.ID)
	case "batch":
		s.write(`[{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}},{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}]`, r.ID)
	case "odd answers first":
		// None of these may hurt: ids that nobody asked with, and worse.
		s.write(`{"jsonrpc":"2.0","id":0,"result":{}}`)
		s.write(`{"jsonrpc":"2.0","id":-1,"result":{}}`)
		s.write(`{"jsonrpc":"2.0","id":4711,"result":{}}`)
		s.write(`{"jsonrpc":"2.0","id":"%s","result":{}}`, strings.Trim(string(r.ID), `"`))
		s.write(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}`)
		s.write(`{"jsonrpc":"2.0","id":99999999999999999999,"result":{}}`)
		s.write(`{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`)
		s.write(`{"jsonrpc":"2.0","id":8,"method":"roots/list"}`)
		s.write(`{"jsonrpc":"2.0","id":9,"method":"ping"}`)
		s.write(`{"jsonrpc":"2.0","method":"notifications/unheard-of"}`)
		s.write(`not JSON`)
		s.write(`{"jsonrpc":"2.0","id":`)
		s.write(`[]`)
		s.write(`[[]]`)
		s.write(`{}`)
		s.write(`null`)
		s.write(``)
		s.result(r, `{"content":[]}`)
	case "die":
		fmt.Fprintln(os.Stderr, "the disk is full")
		os.Exit(7)
	case "die after answer":
		s.result(r, `{"content":[],"last":true}`)
		os.Exit(0)
	case "hang":
	case "cancelled":
		s.mu.Lock()
		list, _ := json.Marshal(s.cancelled)
		s.mu.Unlock()
		s.result(r, `{"content":[],"structuredContent":{"ids":`+string(list)+`}}`)
	case "id of this call":
		s.result(r, `{"content":[],"structuredContent":{"id":`+string(r.ID)+`}}`)
	case "big":
		s.result(r, `{"content":[{"type":"text","text":"`+strings.Repeat("x", a.N)+`"}]}`)
	case "big, id last":
		s.write(`{"result":{"content":[{"type":"text","text":"%s"}]},"jsonrpc":"2.0","id":%s}`, strings.Repeat("x", a.N), r.ID)
	case "big, id hidden":
		s.write(`{"jsonrpc":"2.0","result":{"t":"%s"},"id":%s,"after":"%s"}`, strings.Repeat("x", a.N), r.ID, strings.Repeat("y", 2000))
	case "endless":
		io.Copy(os.Stdout, endless{})
	case "flood":
		for i := range a.N {
			fmt.Fprintf(os.Stderr, "line %d %s\n", i, strings.Repeat("e", 5000))
		}
		s.result(r, `{"content":[]}`)
	case "no object":
		s.result(r, `[1]`)
	case "no result":
		s.write(`{"jsonrpc":"2.0","id":%s}`, r.ID)
	case "refuse":
		s.write(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"n must be positive"}}`, r.ID)
	case "pids":
		s.result(r, fmt.Sprintf(`{"content":[],"structuredContent":{"pids":[%d,%d]}}`, os.Getpid(), s.sleeper))
	case "environment":
		list, _ := json.Marshal(os.Environ())
		dir, _ := os.Getwd()
		s.result(r, fmt.Sprintf(`{"content":[],"structuredContent":{"env":%s,"dir":%q}}`, list, dir))
	case "close output":
		os.Stdout.Close()
	case "ask":
		for i := range a.N {
			s.write(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, 1000+i)
		}
		s.result(r, `{"content":[]}`)
	case "notify":
		for range a.N {
			s.write(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
		}
		s.result(r, `{"content":[]}`)
	case "late":
		go func() {
			time.Sleep(time.Duration(a.N) * time.Millisecond)
			s.result(r, `{"content":[]}`)
		}()
	}
}

// elicitation has fields in an order that is the user's.
const elicitation = `{"message":"sure?","requestedSchema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string"}}}}`

func orNull(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "null"
	}
	return string(raw)
}

// modern answers calls as 2026-07-28 has it: what it asks the client is in its
// answer.
func (s *fakeServer) modern(r fakeRequest, tool string) {
	var p struct {
		Responses json.RawMessage `json:"inputResponses"`
		State     string          `json:"requestState"`
	}
	_ = json.Unmarshal(r.Params, &p)
	switch {
	case tool == "confirm" && p.State == "":
		s.result(r, `{"resultType":"input_required","inputRequests":{},"requestState":"busy"}`)
	case tool == "confirm" && p.State == "busy":
		s.result(r, `{"resultType":"input_required","inputRequests":{"q1":{"method":"elicitation/create","params":`+elicitation+`},"q2":{"method":"roots/list"}},"requestState":"st"}`)
	case tool == "insatiable":
		s.result(r, `{"resultType":"input_required","inputRequests":{"q1":{"method":"elicitation/create","params":`+elicitation+`}},"requestState":"st"}`)
	case tool == "unheard-of":
		s.result(r, `{"resultType":"input_required","inputRequests":{"q1":{"method":"files/delete","params":{}}}}`)
	default:
		s.result(r, `{"resultType":"complete","content":[],"structuredContent":{"responses":`+orNull(p.Responses)+`,"state":"`+p.State+`"}}`)
	}
}

// rawResult has what the SDK's decoding would lose: key order, numbers out of
// range, unknown members, a null, an escape that need not be one.
const rawResult = `{"zebra":1,"structuredContent":{"b":1e400,"a":12345678901234567890.123,"c":[ 1 , 2 ],"inputRequests":null},"content":[{"type":"text","text":"\u0041"},{"type":"hologram"}],"_meta":{"x":1}}`

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
