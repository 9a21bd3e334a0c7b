package demo

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type slowIn struct {
	MS int `json:"ms" jsonschema:"how long to take, in milliseconds, 0 to 600000"`
}

type slowOut struct {
	Waited int `json:"waited_ms"`
}

type flakyIn struct {
	Every int    `json:"every,omitempty" jsonschema:"fail each n-th call, from 1 (default 3)"`
	Key   string `json:"key,omitempty" jsonschema:"calls are counted by key (default the empty one)"`
}

type flakyOut struct {
	Call int `json:"call" jsonschema:"the number of this call, from 1"`
}

type chartIn struct {
	Values []int `json:"values" jsonschema:"bar heights, 0 to 100, 1 to 64 of them"`
}

type echoIn struct {
	Value any `json:"value" jsonschema:"anything"`
}

type echoOut struct {
	Value any `json:"value"`
}

type failIn struct {
	Message string `json:"message,omitempty" jsonschema:"what the error says"`
}

// maxSlow bounds the slow tool: a demo must not hold a process for ever.
const maxSlow = 600000

func addLab(s *mcp.Server) {
	addTool(s, &mcp.Tool{
		Name: "slow", Title: "Slow", Annotations: readOnly(),
		Description: "Take a given time and say so. Stops at once when the call is cancelled.",
	}, func(ctx context.Context, _ *mcp.CallToolRequest, in slowIn) (*mcp.CallToolResult, slowOut, error) {
		if in.MS < 0 || in.MS > maxSlow {
			return nil, slowOut{}, fmt.Errorf("ms is %d: it must be from 0 to %d", in.MS, maxSlow)
		}
		timer := time.NewTimer(time.Duration(in.MS) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil, slowOut{Waited: in.MS}, nil
		case <-ctx.Done():
			return nil, slowOut{}, ctx.Err()
		}
	})

	f := &flaky{calls: map[string]int{}}
	addTool(s, &mcp.Tool{
		Name: "flaky", Title: "Flaky", Annotations: readOnly(),
		Description: "Fail each n-th call; call it again and it works.",
	}, f.call)

	addTool(s, &mcp.Tool{
		Name: "fail", Title: "Fail", Annotations: readOnly(),
		Description: "Report an error, always.",
	}, func(_ context.Context, _ *mcp.CallToolRequest, in failIn) (*mcp.CallToolResult, any, error) {
		if in.Message == "" {
			in.Message = "this tool always fails"
		}
		return failure(in.Message), nil, nil
	})

	addTool(s, &mcp.Tool{
		Name: "draw_chart", Title: "Draw chart", Annotations: readOnly(),
		Description: "Draw a bar chart and return it as a PNG image.",
	}, drawChart)

	addTool(s, &mcp.Tool{
		Name: "echo", Title: "Echo", Annotations: readOnly(),
		Description: "Return the value that was given.",
	}, func(_ context.Context, _ *mcp.CallToolRequest, in echoIn) (*mcp.CallToolResult, echoOut, error) {
		return nil, echoOut(in), nil
	})

	s.AddResource(&mcp.Resource{
		URI: "lab://logo.png", Name: "logo.png", MIMEType: "image/png",
		Description: "A small image.",
	}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		b, err := barChart([]int{30, 60, 90, 60, 30})
		if err != nil {
			return nil, err
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "lab://logo.png", MIMEType: "image/png", Blob: b}}}, nil
	})
}

type flaky struct {
	mu    sync.Mutex
	calls map[string]int // by key
}

// maxFlakyKeys bounds what a client can make the server remember.
const maxFlakyKeys = 1000

func (f *flaky) call(_ context.Context, _ *mcp.CallToolRequest, in flakyIn) (*mcp.CallToolResult, flakyOut, error) {
	every := in.Every
	if every == 0 {
		every = 3
	}
	if every < 1 {
		return nil, flakyOut{}, fmt.Errorf("every is %d: it must be 1 or more", in.Every)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.calls[in.Key]; !known && len(f.calls) >= maxFlakyKeys {
		return nil, flakyOut{}, fmt.Errorf("there are %d keys already: use one of them", maxFlakyKeys)
	}
	f.calls[in.Key]++
	n := f.calls[in.Key]
	if n%every == 0 {
		return nil, flakyOut{}, fmt.Errorf("call %d failed, as each %d. call does: try again", n, every)
	}
	return nil, flakyOut{Call: n}, nil
}

func drawChart(_ context.Context, _ *mcp.CallToolRequest, in chartIn) (*mcp.CallToolResult, any, error) {
	if len(in.Values) < 1 || len(in.Values) > 64 {
		return nil, nil, fmt.Errorf("values has %d elements: it must have 1 to 64", len(in.Values))
	}
	for i, v := range in.Values {
		if v < 0 || v > 100 {
			return nil, nil, fmt.Errorf("values[%d] is %d: it must be from 0 to 100", i, v)
		}
	}
	b, err := barChart(in.Values)
	if err != nil {
		return nil, nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: b, MIMEType: "image/png"}}}, nil, nil
}

func barChart(values []int) ([]byte, error) {
	const bar, gap, height = 8, 2, 100
	img := image.NewPaletted(image.Rect(0, 0, gap+len(values)*(bar+gap), height),
		color.Palette{color.White, color.RGBA{R: 0x1f, G: 0x6f, B: 0xb2, A: 0xff}})
	for i, v := range values {
		for y := height - v; y < height; y++ {
			for x := range bar {
				img.SetColorIndex(gap+i*(bar+gap)+x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("encoding a chart: %w", err)
	}
	return b.Bytes(), nil
}
