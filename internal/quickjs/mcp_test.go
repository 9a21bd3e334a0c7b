package quickjs

import (
	"bytes"
	"encoding/json"
	"testing"
)

func FuzzMCPParts(f *testing.F) {
	for _, s := range []string{`{}`, `{"content":[]}`, `{"structuredContent":null,"isError":true}`, ` { "content" : [ {"a":"]}\"" } ] , "structuredContent" : {"x":[1,2,{"y":"}"}]} , "_meta":1} `, `{"isError":false,"structuredContent":"s"}`, `{"isError":true }`, `{ "structuredContent" : null}`, `[1]`, `{"a":1,}`, `{"content":[}`, `{"\"":"\\","content":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		structured, content, isError, ok := mcpParts(body)
		var want map[string]json.RawMessage
		if json.Unmarshal(body, &want) != nil || want == nil {
			return // the engine parses what was found, and says what is wrong
		}
		for k := range want {
			switch k {
			case "structuredContent", "content", "isError":
			default:
				// A key with escapes may spell one of ours; only the plain
				// spelling is looked for.
				if bytes.Contains(body, []byte(`\u`)) {
					return
				}
			}
		}
		if bytes.Contains(body, []byte(`\u`)) {
			return
		}
		if !ok {
			t.Fatalf("%s is not understood", body)
		}
		s := want["structuredContent"]
		if string(s) == "null" {
			s = nil
		}
		if !bytes.Equal(structured, s) || !bytes.Equal(content, want["content"]) || isError != (string(want["isError"]) == "true") {
			t.Fatalf("%s: %s, %s, %v", body, structured, content, isError)
		}
	})
}
