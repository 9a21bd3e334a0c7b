package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// city is one row of the weather table.
type city struct {
	Name    string  `json:"name"`
	Country string  `json:"country"`
	Lat     float64 `json:"lat"`
	Lon     float64 `json:"lon"`
	mean    int     // °C
}

func cities() []city {
	return []city{
		{"Berlin", "DE", 52.52, 13.40, 11}, {"Cairo", "EG", 30.04, 31.24, 26}, {"Edinburgh", "GB", 55.95, -3.19, 9},
		{"Kyoto", "JP", 35.01, 135.77, 17}, {"Lima", "PE", -12.05, -77.04, 20}, {"Lisbon", "PT", 38.72, -9.14, 18},
		{"Nairobi", "KE", -1.29, 36.82, 19}, {"Oslo", "NO", 59.91, 10.75, 6}, {"Reykjavik", "IS", 64.15, -21.94, 4},
		{"Santiago", "CL", -33.45, -70.67, 15}, {"Sydney", "AU", -33.87, 151.21, 19}, {"Toronto", "CA", 43.65, -79.38, 9},
	}
}

type forecastIn struct {
	City string `json:"city" jsonschema:"a city of list_cities, in any case"`
	Days int    `json:"days,omitempty" jsonschema:"how many days, 1 to 7 (default 3)"`
}

type dayForecast struct {
	Day       string  `json:"day" jsonschema:"today, tomorrow, then +2 and so on"`
	High      int     `json:"high_c" jsonschema:"°C"`
	Low       int     `json:"low_c" jsonschema:"°C"`
	Rain      float64 `json:"rain_mm"`
	Condition string  `json:"condition"`
}

type forecastOut struct {
	City string        `json:"city"`
	Days []dayForecast `json:"days"`
}

type listCitiesOut struct {
	Cities []city `json:"cities"`
}

type cityIn struct {
	City string `json:"city" jsonschema:"a city of list_cities, in any case"`
}

func addWeather(s *mcp.Server) {
	addTool(s, &mcp.Tool{
		Name: "get_forecast", Title: "Get forecast", Annotations: readOnly(),
		Description: "Forecast for a city: highs, lows, rain and condition of the next days.",
	}, getForecast)
	addTool(s, &mcp.Tool{
		Name: "list_cities", Title: "List cities", Annotations: readOnly(),
		Description: "The cities that have a forecast.",
	}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, listCitiesOut, error) {
		return nil, listCitiesOut{Cities: cities()}, nil
	})
	// No output schema, plain text: what most servers still do.
	addTool(s, &mcp.Tool{
		Name: "describe_weather", Title: "Describe weather", Annotations: readOnly(),
		Description: "Today's weather in a city as one English sentence.",
	}, func(ctx context.Context, req *mcp.CallToolRequest, in cityIn) (*mcp.CallToolResult, any, error) {
		_, out, err := getForecast(ctx, req, forecastIn{City: in.City, Days: 1})
		if err != nil {
			return nil, nil, err
		}
		d := out.Days[0]
		return textResult(fmt.Sprintf("%s: %s, %d to %d °C, %.1f mm of rain.", out.City, d.Condition, d.Low, d.High, d.Rain)), nil, nil
	})
	// JSON in a text block, without a schema: the other thing that servers do.
	addTool(s, &mcp.Tool{
		Name: "get_station", Title: "Get station", Annotations: readOnly(),
		Description: "The weather station of a city, as JSON text: id, city, lat, lon, elevation_m.",
	}, func(_ context.Context, _ *mcp.CallToolRequest, in cityIn) (*mcp.CallToolResult, any, error) {
		i, c, err := findCity(in.City)
		if err != nil {
			return nil, nil, err
		}
		text, err := json.Marshal(station{fmt.Sprintf("ST%03d", i+1), c.Name, c.Lat, c.Lon, 5 + scatter(i, 21, 700)})
		if err != nil {
			return nil, nil, fmt.Errorf("marshalling a station: %w", err)
		}
		return textResult(string(text)), nil, nil
	})

	var table strings.Builder
	table.WriteString("city,country,lat,lon\n")
	for _, c := range cities() {
		fmt.Fprintf(&table, "%s,%s,%.2f,%.2f\n", c.Name, c.Country, c.Lat, c.Lon)
	}
	addText(s, &mcp.Resource{
		URI: "weather://cities.csv", Name: "cities.csv", MIMEType: "text/csv",
		Description: "The cities with their positions.",
	}, table.String())
}

type station struct {
	ID        string  `json:"id"`
	City      string  `json:"city"`
	Lat       float64 `json:"lat"`
	Lon       float64 `json:"lon"`
	Elevation int     `json:"elevation_m"`
}

func findCity(name string) (int, city, error) {
	var names []string
	for i, c := range cities() {
		if strings.EqualFold(c.Name, strings.TrimSpace(name)) {
			return i, c, nil
		}
		names = append(names, c.Name)
	}
	return 0, city{}, fmt.Errorf("there is no forecast for %q: the cities are %s", name, strings.Join(names, ", "))
}

func getForecast(_ context.Context, _ *mcp.CallToolRequest, in forecastIn) (*mcp.CallToolResult, forecastOut, error) {
	i, c, err := findCity(in.City)
	if err != nil {
		return nil, forecastOut{}, err
	}
	days := in.Days
	if days == 0 {
		days = 3
	}
	if days < 1 || days > 7 {
		return nil, forecastOut{}, fmt.Errorf("days is %d: it must be from 1 to 7", in.Days)
	}
	out := forecastOut{City: c.Name, Days: make([]dayForecast, days)}
	for d := range days {
		k := i*10 + d
		f := dayForecast{Day: fmt.Sprintf("+%d", d), Condition: "sunny"}
		if d < 2 {
			f.Day = []string{"today", "tomorrow"}[d]
		}
		f.High = c.mean + scatter(k, 22, 9)
		f.Low = f.High - 4 - scatter(k, 23, 7)
		if rain := scatter(k, 24, 200); rain > 90 {
			f.Rain = float64(rain-90) / 10
			f.Condition = "rain"
		} else if rain > 50 {
			f.Condition = "cloudy"
		}
		out.Days[d] = f
	}
	return nil, out, nil
}
