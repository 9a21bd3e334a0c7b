package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// Whatever comes on a client's lines, each message that is read is one, each
// refusal is one line of JSON-RPC, and the end of the stream is found.
func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"))
	f.Add([]byte("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},1]\n{"))
	f.Add([]byte("\n\r\n[]\nnull\n\"x\"\n{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":1}\n"))
	f.Add(bytes.Repeat([]byte("["), 600))
	f.Fuzz(func(t *testing.T, input []byte) {
		var out bytes.Buffer
		conn, err := (&StdioTransport{In: io.NopCloser(bytes.NewReader(input)), Out: nopCloser{&out}, MaxFrame: 512}).Connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for {
			msg, err := conn.Read(context.Background())
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatalf("the stream ended with %v", err)
				}
				break
			}
			if msg == nil {
				t.Fatal("a message that is none")
			}
			if _, err := jsonrpc.EncodeMessage(msg); err != nil {
				t.Fatalf("a message that cannot be written: %v", err)
			}
		}
		conn.Close()
		for line := range bytes.Lines(out.Bytes()) {
			if !bytes.HasPrefix(line, []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32`)) {
				t.Fatalf("the refusal is %q", line)
			}
		}
	})
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func FuzzBlock(f *testing.F) {
	f.Add([]byte(`{"type":"image","data":"AAAA","mimeType":"image/png"}`))
	f.Add([]byte(`{"type":"resource","resource":{"uri":"x:1","blob":"AAAA"}}`))
	f.Add([]byte(`{"type":"resource_link","uri":"x:1","name":"n","size":-1}`))
	f.Add([]byte(`{"type":"text","text":"","annotations":{"audience":["user"]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		block, err := readBlock(raw)
		if err != nil {
			return
		}
		text, err := block.MarshalJSON()
		if err != nil {
			t.Fatalf("a block that cannot be written: %v", err)
		}
		if _, err := readBlock(text); err != nil {
			t.Fatalf("what was written of %s is refused: %s: %v", raw, text, err)
		}
	})
}

func TestUnfenced(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"return 1", "return 1"},
		{"```js\nreturn 1\n```", "\nreturn 1\n"},
		{"\n```\nreturn 1\n```\n", "\n\nreturn 1\n"},
		{"``` typescript \nreturn 1```", "\nreturn 1"},
		{"```return 1```", "```return 1```"},
		{"`` + `x`\n```", "`` + `x`\n```"},
		{"```", "```"},
	} {
		if got := unfenced(c.code); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.code, got, c.want)
		}
	}
}
