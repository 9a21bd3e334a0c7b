package gateway

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// readBlock reads what a program emitted as a content block, or says what is
// wrong with it: a client refuses the whole answer for one bad block.
func readBlock(raw json.RawMessage) (mcp.Content, error) {
	var head struct {
		Type     string  `json:"type"`
		Text     *string `json:"text"`
		Data     *string `json:"data"`
		MIMEType string  `json:"mimeType"`
		URI      string  `json:"uri"`
		Name     string  `json:"name"`
		Resource *struct {
			URI  string  `json:"uri"`
			Text *string `json:"text"`
			Blob *string `json:"blob"`
		} `json:"resource"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("a field has the wrong type: %w", err)
	}
	switch head.Type {
	case "text":
		if head.Text == nil {
			return nil, fmt.Errorf("a text block needs text")
		}
	case "image", "audio":
		if head.Data == nil || *head.Data == "" || !strings.HasPrefix(head.MIMEType, head.Type+"/") {
			return nil, fmt.Errorf("an %s block needs data (base64) and mimeType, such as %s", head.Type,
				map[string]string{"image": "image/png", "audio": "audio/wav"}[head.Type])
		}
	case "resource":
		if head.Resource == nil || head.Resource.URI == "" || (head.Resource.Text == nil) == (head.Resource.Blob == nil) {
			return nil, fmt.Errorf("a resource block needs resource: { uri, text } or { uri, blob (base64) }")
		}
	case "resource_link":
		if head.URI == "" || head.Name == "" {
			return nil, fmt.Errorf("a resource_link block needs uri and name")
		}
	default:
		return nil, fmt.Errorf("its type is %q: it can be text, image, audio, resource or resource_link", clip(head.Type, 40))
	}
	var res mcp.CallToolResult
	if err := json.Unmarshal(fmt.Appendf(nil, `{"content":[%s]}`, raw), &res); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if len(res.Content) != 1 || !complete(res.Content[0]) {
		return nil, fmt.Errorf("it cannot be read as one block of type %s", head.Type)
	}
	if e, ok := res.Content[0].(*mcp.EmbeddedResource); ok {
		// The SDK does not see a name in another case than its own.
		r := head.Resource
		if r.Blob != nil && e.Resource.Blob == nil || r.Text != nil && *r.Text != e.Resource.Text {
			return nil, fmt.Errorf("a resource block needs resource: { uri, text } or { uri, blob (base64) }, spelt so")
		}
	}
	return res.Content[0], nil
}

// complete reports whether a block has what its type needs, as the SDK has read
// it: it is stricter about the case of names than encoding/json.
func complete(block mcp.Content) bool {
	switch b := block.(type) {
	case *mcp.TextContent:
		return true
	case *mcp.ImageContent:
		return len(b.Data) > 0 && b.MIMEType != ""
	case *mcp.AudioContent:
		return len(b.Data) > 0 && b.MIMEType != ""
	case *mcp.EmbeddedResource:
		return b.Resource != nil && b.Resource.URI != ""
	case *mcp.ResourceLink:
		return b.URI != "" && b.Name != ""
	}
	return false
}

// maxBlocks bounds the blocks of one answer, in bytes of JSON: the official
// SDKs' clients end the session at a message of over 10 MiB.
const maxBlocks = 8 << 20

// emitted reads all blocks of a program, and says which were left out. Texts
// are cut where together they are longer than limit bytes; images are not: they
// are bounded by the runtime, and cost a model by their size in pixels.
func emitted(raws []json.RawMessage, limit int) (blocks []mcp.Content, warnings []string) {
	cut, size := 0, 0
	for i, raw := range raws {
		if size+len(raw) > maxBlocks {
			warnings = append(warnings, fmt.Sprintf("emitted block %d of %d bytes was left out: the blocks of one answer may have %d bytes together", i+1, len(raw), maxBlocks))
			continue
		}
		size += len(raw)
		block, err := readBlock(raw)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("emitted block %d was left out: %v", i+1, err))
			continue
		}
		text := textOf(block)
		if text != nil {
			if len(*text) > limit {
				*text = clip(*text, limit)
				cut++
			}
			limit = max(limit-len(*text), 0)
		}
		blocks = append(blocks, block)
	}
	if cut > 0 {
		warnings = append(warnings, fmt.Sprintf("the text of %d emitted blocks was cut: emit less of it", cut))
	}
	return blocks, warnings
}

func textOf(block mcp.Content) *string {
	switch b := block.(type) {
	case *mcp.TextContent:
		return &b.Text
	case *mcp.EmbeddedResource:
		if b.Resource != nil && b.Resource.Blob == nil {
			return &b.Resource.Text
		}
	}
	return nil
}
