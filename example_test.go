package autoclave_test

import (
	"context"
	"fmt"
	"log"

	"github.com/autoclave-run/autoclave"
)

// The whole of embedding. In a program of your own this is main, and its first
// statement is autoclave.ServeIfWorker() (in these tests TestMain has it).
func Example() {
	ctx := context.Background()
	rt, err := autoclave.Open(ctx, autoclave.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close(ctx)

	host := autoclave.HostFunc(func(ctx context.Context, call autoclave.ToolCall) (autoclave.Value, error) {
		return autoclave.JSONValue(map[string]any{"tool": call.Tool, "celsius": 21})
	})
	res, err := rt.Execute(ctx, autoclave.Program{
		Source: `async () => (await tools.weather.now({ city: "Oslo" })).celsius * 2`,
		Tenant: "alice",
	}, host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(res.Value), res.Calls[0].Server, res.Calls[0].Tool)
	// Output: 42 weather now
}
