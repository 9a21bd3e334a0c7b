package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/autoclave-run/autoclave/internal/demo"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a demo server over pipes and returns a client's session with it.
func serve(t *testing.T, name string) *mcp.ClientSession {
	t.Helper()
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- demo.Serve(context.Background(), name, serverIn, serverOut) }()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	cs, err := client.Connect(t.Context(), &mcp.IOTransport{Reader: clientIn, Writer: clientOut}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cs.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return cs
}

func call(t *testing.T, cs *mcp.ClientSession, tool, args string) *mcp.CallToolResult {
	t.Helper()
	res, err := cs.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(args)})
	if err != nil {
		t.Fatalf("%s(%s): %v", tool, args, err)
	}
	return res
}

func text(t *testing.T, res *mcp.CallToolResult) string {
	t.Helper()
	if len(res.Content) != 1 {
		t.Fatalf("%d content blocks", len(res.Content))
	}
	c, ok := res.Content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("a %T", res.Content[0])
	}
	return c.Text
}

func structured[T any](t *testing.T, res *mcp.CallToolResult) T {
	t.Helper()
	var v T
	if res.IsError {
		t.Fatalf("the tool failed: %s", text(t, res))
	}
	b, err := json.Marshal(res.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestLists holds every server to what a good server says of its tools.
func TestLists(t *testing.T) {
	for _, name := range demo.Names() {
		t.Run(name, func(t *testing.T) {
			if demo.Description(name) == "" {
				t.Error("no description")
			}
			cs := serve(t, name)
			n := 0
			for tool, err := range cs.Tools(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				n++
				if tool.Description == "" || tool.Title == "" || tool.InputSchema == nil || tool.Annotations == nil {
					t.Errorf("%s: incomplete: %+v", tool.Name, tool)
				}
			}
			if n < 2 {
				t.Errorf("%d tools", n)
			}
			resources := 0
			for r, err := range cs.Resources(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				resources++
				res, err := cs.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: r.URI})
				if err != nil || len(res.Contents) != 1 || res.Contents[0].Text == "" && len(res.Contents[0].Blob) == 0 {
					t.Errorf("%s: got %+v, %v", r.URI, res, err)
				}
			}
			if resources == 0 {
				t.Error("no resources")
			}
		})
	}
}

type issue struct {
	Number   int
	Title    string
	State    string
	Labels   []string
	Comments json.RawMessage
}

func TestTracker(t *testing.T) {
	cs := serve(t, "tracker")
	type list struct {
		Issues []issue
		Total  int
	}
	all := structured[list](t, call(t, cs, "list_issues", `{"state":"all","limit":100}`))
	open := structured[list](t, call(t, cs, "list_issues", `{"limit":100}`))
	closed := structured[list](t, call(t, cs, "list_issues", `{"state":"closed","limit":100}`))
	if all.Total != 60 || open.Total+closed.Total != 60 || open.Total < 20 || closed.Total < 10 {
		t.Errorf("%d issues, %d open, %d closed", all.Total, open.Total, closed.Total)
	}
	for _, i := range open.Issues {
		if i.State != "open" {
			t.Errorf("issue %d is %s", i.Number, i.State)
		}
	}
	page := structured[list](t, call(t, cs, "list_issues", `{"state":"all","limit":2,"offset":1}`))
	if len(page.Issues) != 2 || page.Issues[0].Number != 59 || page.Total != 60 {
		t.Errorf("got %+v", page)
	}
	made := structured[issue](t, call(t, cs, "create_issue", `{"title":"It is broken","labels":["bug"]}`))
	if made.Number != 61 || made.State != "open" {
		t.Errorf("got %+v", made)
	}
	if got := structured[struct{ Comments int }](t, call(t, cs, "add_comment", `{"number":61,"body":"Truly."}`)); got.Comments != 1 {
		t.Errorf("got %+v", got)
	}
	got := structured[issue](t, call(t, cs, "get_issue", `{"number":61}`))
	if string(got.Comments) != `[{"author":"guest","body":"Truly."}]` || got.Title != "It is broken" {
		t.Errorf("got %+v", got)
	}
	if got := structured[issue](t, call(t, cs, "close_issue", `{"number":61}`)); got.State != "closed" {
		t.Errorf("got %+v", got)
	}
	for tool, args := range map[string]string{
		"get_issue": `{"number":62}`, "list_issues": `{"state":"ajar"}`, "create_issue": `{"title":" "}`, "add_comment": `{"number":1,"body":""}`,
	} {
		if res := call(t, cs, tool, args); !res.IsError {
			t.Errorf("%s(%s) worked", tool, args)
		}
	}
}

func TestWeather(t *testing.T) {
	cs := serve(t, "weather")
	type forecast struct {
		City string
		Days []struct {
			Day  string
			High int `json:"high_c"`
			Low  int `json:"low_c"`
		}
	}
	got := structured[forecast](t, call(t, cs, "get_forecast", `{"city":"oslo","days":7}`))
	if got.City != "Oslo" || len(got.Days) != 7 || got.Days[0].Day != "today" || got.Days[6].Day != "+6" {
		t.Errorf("got %+v", got)
	}
	for _, d := range got.Days {
		if d.Low >= d.High {
			t.Errorf("got %+v", d)
		}
	}
	res := call(t, cs, "describe_weather", `{"city":"Lima"}`)
	if res.StructuredContent != nil || !strings.HasPrefix(text(t, res), "Lima: ") {
		t.Errorf("got %+v", res)
	}
	var station struct{ ID, City string }
	if err := json.Unmarshal([]byte(text(t, call(t, cs, "get_station", `{"city":"Kyoto"}`))), &station); err != nil || station.City != "Kyoto" || station.ID != "ST004" {
		t.Errorf("got %+v, %v", station, err)
	}
	if res := call(t, cs, "get_forecast", `{"city":"Atlantis"}`); !res.IsError || !strings.Contains(text(t, res), "Reykjavik") {
		t.Errorf("got %+v", res)
	}
}

func TestSales(t *testing.T) {
	cs := serve(t, "sales")
	type row struct {
		ID              int
		Region, Product string
		Quantity        int
		Amount          int
		Date            string
	}
	type rows struct {
		Total int
		Rows  []row
	}
	res := call(t, cs, "rows", `{}`)
	all := structured[rows](t, res)
	if all.Total != demo.SalesRows || len(all.Rows) != demo.SalesRows || text(t, res) != "20000 rows" {
		t.Errorf("%d of %d rows, %s", len(all.Rows), all.Total, text(t, res))
	}
	for i, r := range all.Rows {
		if r.ID != i+1 || r.Amount <= 0 || r.Quantity <= 0 || !strings.HasPrefix(r.Date, "2025-") || len(r.Date) != 10 {
			t.Fatalf("row %d: %+v", i, r)
		}
	}
	page := structured[rows](t, call(t, cs, "rows", `{"offset":19999,"limit":5}`))
	if len(page.Rows) != 1 || page.Rows[0] != all.Rows[19999] {
		t.Errorf("got %+v", page)
	}
	for _, args := range []string{`{"limit":0}`, `{"offset":-1}`, `{"limit":"x"}`} {
		if res := call(t, cs, "rows", args); !res.IsError {
			t.Errorf("rows(%s) worked", args)
		}
	}
}

func TestLab(t *testing.T) {
	cs := serve(t, "lab")
	var fate []bool
	for range 6 {
		fate = append(fate, call(t, cs, "flaky", `{"every":3}`).IsError)
	}
	if want := []bool{false, false, true, false, false, true}; !equal(fate, want) {
		t.Errorf("got %v, want %v", fate, want)
	}
	if call(t, cs, "flaky", `{"every":3,"key":"mine"}`).IsError {
		t.Error("keys share a count")
	}

	res := call(t, cs, "draw_chart", `{"values":[10,100,50]}`)
	img, ok := res.Content[0].(*mcp.ImageContent)
	if !ok || img.MIMEType != "image/png" {
		t.Fatalf("got %+v", res.Content)
	}
	if p, err := png.Decode(bytes.NewReader(img.Data)); err != nil || p.Bounds().Dx() != 32 || p.Bounds().Dy() != 100 {
		t.Errorf("got %v", err)
	}
	if res := call(t, cs, "fail", `{"message":"no"}`); !res.IsError || text(t, res) != "no" {
		t.Errorf("got %+v", res)
	}
	if got := structured[struct {
		Waited int `json:"waited_ms"`
	}](t, call(t, cs, "slow", `{"ms":1}`)); got.Waited != 1 {
		t.Errorf("got %+v", got)
	}

	// Two slow calls are under way at once, and an end of the context ends
	// them: the demo's Close would wait for ten minutes otherwise.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "slow", Arguments: json.RawMessage(`{"ms":600000}`)})
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
}

func equal(a, b []bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestServe(t *testing.T) {
	err := demo.Serve(t.Context(), "nobody", strings.NewReader(""), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "tracker, weather, sales, lab") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	done := make(chan error, 1)
	go func() { done <- demo.Serve(ctx, "lab", r, io.Discard) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
