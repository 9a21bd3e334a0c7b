package gateway

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	loop := &net.TCPAddr{IP: net.ParseIP("127.0.0.1"), Port: 7341}
	loop6 := &net.TCPAddr{IP: net.IPv6loopback, Port: 7341}
	lan := &net.TCPAddr{IP: net.ParseIP("192.168.1.5"), Port: 7341}
	names := newHosts([]string{"MCP.example.org", "other.example.org:8443"})
	for _, c := range []struct {
		host  string
		local net.Addr
		want  bool
	}{
		{"127.0.0.1:7341", loop, true},
		{"127.0.0.1", loop, true},
		{"localhost:7341", loop, true},
		{"LOCALHOST", loop, true},
		{"[::1]:7341", loop, true},
		{"[::1]", loop6, true},
		{"localhost:9999", loop, true}, // a tunnel
		{"[::ffff:127.0.0.1]:7341", loop, true},
		{"192.168.1.5:7341", lan, true},
		{"[::ffff:192.168.1.5]:7341", lan, true},
		{"localhost:7341", lan, false},
		{"127.0.0.1:7341", lan, false},
		{"192.168.1.5:7341", loop, false},
		{"192.168.1.6:7341", lan, false},
		{"mcp.example.org", lan, true},
		{"mcp.example.org:1", loop, true},
		{"other.example.org:8443", lan, true},
		{"other.example.org", lan, false},
		{"other.example.org:1", lan, false},
		{"mcp.example.org.evil.example", lan, false},
		{"evil.example", loop, false},
		{"localhost.evil.example:7341", loop, false},
		{"127.0.0.1.evil.example", loop, false},
		{"localhost:7341@evil.example", loop, false},
		{"", loop, false},
		{"", nil, false},
		{"localhost", nil, false},
		{"mcp.example.org", nil, true},
		{"0.0.0.0", loop, false},
		{"2130706433", loop, false},
	} {
		if got := names.allow(c.host, c.local); got != c.want {
			t.Errorf("%q at %v: %v", c.host, c.local, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	allowed := []string{"https://app.example.org"}
	for _, c := range []struct {
		origins []string
		host    string
		want    bool
	}{
		{nil, "localhost:7341", true},
		{[]string{"https://app.example.org"}, "localhost:7341", true},
		{[]string{"HTTPS://app.example.org"}, "localhost:7341", true},
		{[]string{"http://localhost:7341"}, "localhost:7341", true},
		{[]string{"http://localhost:7342"}, "localhost:7341", false},
		{[]string{"http://app.example.org"}, "localhost:7341", false},
		{[]string{"https://app.example.org:8443"}, "localhost:7341", false},
		{[]string{"https://app.example.org.evil.example"}, "localhost:7341", false},
		{[]string{"null"}, "localhost:7341", false},
		{[]string{""}, "localhost:7341", false},
		{[]string{"file://localhost:7341"}, "localhost:7341", false},
		{[]string{"https://app.example.org", "https://evil.example"}, "localhost:7341", false},
	} {
		r := &http.Request{Host: c.host, Header: http.Header{}}
		for _, o := range c.origins {
			r.Header.Add("Origin", o)
		}
		if got := originAllowed(r, allowed); got != c.want {
			t.Errorf("%q at %q: %v", c.origins, c.host, got)
		}
	}
}

func TestMessages(t *testing.T) {
	many := strings.Repeat(`{"a":[1,2,",",{}]},`, maxBatch)
	for body, want := range map[string]int{
		``: 1, ` `: 1, `{}`: 1, `{"a":[1,2,3]}`: 1, `[]`: 1, `[{}]`: 1, ` [1, 2]`: 2, "\n[[1,2],{\"a\":1,\"b\":2}]": 2,
		`["a,b","\",\\",3]`: 3, `["\`: 1, `[,,`: 3, `]],,`: 1,
		`[` + many[:len(many)-1] + `]`: maxBatch, `[` + many + `1]`: maxBatch + 1, `[` + strings.Repeat(many, 9): maxBatch + 1,
	} {
		if got := messages([]byte(body)); got != want {
			t.Errorf("%.50q: %d, want %d", body, got, want)
		}
	}
}
