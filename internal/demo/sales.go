package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// SalesRows is how many rows the sales ledger has.
const SalesRows = 20000

var (
	salesRegions  = []string{"north", "south", "east", "west", "islands"}
	salesProducts = []string{"kettle", "toaster", "lamp", "radio", "blender", "heater", "fan", "scales"}
)

// rowsInput is written by hand: the tool passes raw JSON in and out, because
// two megabytes that are decoded, validated and encoded again would measure
// the SDK.
const rowsInput = `{"type":"object","additionalProperties":false,"properties":{` +
	`"offset":{"type":"integer","minimum":0,"description":"how many rows to skip (default 0)"},` +
	`"limit":{"type":"integer","minimum":1,"maximum":20000,"description":"how many rows at most (default all)"}}}`

const rowsOutput = `{"type":"object","required":["rows","total"],"properties":{` +
	`"total":{"type":"integer","description":"how many rows the ledger has"},` +
	`"rows":{"type":"array","items":{"type":"object",` +
	`"required":["id","date","region","product","quantity","amount"],"properties":{` +
	`"id":{"type":"integer"},"date":{"type":"string","format":"date"},` +
	`"region":{"enum":["north","south","east","west","islands"]},"product":{"type":"string"},` +
	`"quantity":{"type":"integer"},"amount":{"type":"integer","description":"in cents"},` +
	`"customer":{"type":"string"}}}}}}`

type regionsOut struct {
	Regions []string `json:"regions"`
}

func addSales(s *mcp.Server) {
	// Two megabytes of text: made when they are first asked for.
	ledger := sync.OnceValue(func() [][]byte {
		rows := make([][]byte, SalesRows)
		for i := range rows {
			rows[i] = salesRow(i + 1)
		}
		return rows
	})
	s.AddTool(&mcp.Tool{
		Name: "rows", Title: "Rows", Annotations: readOnly(),
		Description:  "Rows of the sales ledger of 2025, 20,000 in all, about 2 MB of JSON: aggregate them in the program.",
		InputSchema:  json.RawMessage(rowsInput),
		OutputSchema: json.RawMessage(rowsOutput),
	}, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		in := struct {
			Offset int  `json:"offset"`
			Limit  *int `json:"limit"`
		}{}
		if len(req.Params.Arguments) > 0 {
			if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
				return failure("reading the arguments: " + err.Error()), nil
			}
		}
		limit := SalesRows
		if in.Limit != nil {
			limit = *in.Limit
		}
		if in.Offset < 0 || limit < 1 || limit > SalesRows {
			return failure("offset must be 0 or more and limit from 1 to " + strconv.Itoa(SalesRows)), nil
		}
		rows := ledger()
		first := min(in.Offset, len(rows))
		rows = rows[first:min(first+limit, len(rows))]
		size := 64
		for _, r := range rows {
			size += len(r) + 1
		}
		b := make([]byte, 0, size)
		b = append(b, `{"total":`...)
		b = strconv.AppendInt(b, SalesRows, 10)
		b = append(b, `,"rows":[`...)
		for i, r := range rows {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, r...)
		}
		b = append(b, `]}`...)
		res := textResult(fmt.Sprintf("%d rows", len(rows)))
		res.StructuredContent = json.RawMessage(b)
		return res, nil
	})
	addTool(s, &mcp.Tool{
		Name: "regions", Title: "Regions", Annotations: readOnly(),
		Description: "The sales regions.",
	}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, regionsOut, error) {
		return nil, regionsOut{Regions: append([]string{}, salesRegions...)}, nil
	})
	addText(s, &mcp.Resource{
		URI: "sales://notes", Name: "notes", MIMEType: "text/plain",
		Description: "How to read the ledger.",
	}, "Amounts are in cents. A row is one sale. Dates are of 2025.\n")
}

func failure(text string) *mcp.CallToolResult {
	res := textResult(text)
	res.IsError = true
	return res
}

// salesRow returns row id as JSON.
func salesRow(id int) []byte {
	product := scatter(id, 31, len(salesProducts))
	quantity := 1 + scatter(id, 32, 9)
	price := 999 + 500*product
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, scatter(id, 33, 365))
	return fmt.Appendf(nil, `{"id":%d,"date":"%s","region":"%s","product":"%s","quantity":%d,"amount":%d,"customer":"C%04d"}`,
		id, day.Format(time.DateOnly), salesRegions[scatter(id, 34, len(salesRegions))], salesProducts[product],
		quantity, quantity*price, scatter(id, 35, 2500))
}
