package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealServers runs programs against MCP servers as they are on npm.
func TestRealServers(t *testing.T) {
	t.Parallel()
	dir := needsNode(t)
	bin := func(name string) string { return filepath.Join(dir, "node_modules", ".bin", "mcp-server-"+name) }
	files := t.TempDir()
	for i, text := range []string{"alpha beta", "gamma", "delta epsilon zeta"} {
		if err := os.WriteFile(filepath.Join(files, fmt.Sprintf("%d.txt", i+1)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, server, source, want string }{
		{"everything: echo and sum", "all=" + bin("everything"), `
			const sums = await parallel([1, 2, 3].map((a) => () => tools.all["get-sum"]({ a, b: 10 })));
			return [await tools.all.echo({ message: "hello" }), sums.length, sums[2]];`,
			`["Echo: hello",3,"The sum of 3 and 10 is 13."]`},
		{"everything: structured content", "all=" + bin("everything"), `
			const w = await tools.all["get-structured-content"]({ location: "Chicago" });
			return Object.keys(w).sort();`,
			`["conditions","humidity","temperature"]`},
		{"everything: an image", "all=" + bin("everything"), `
			const blocks = await tools.all["get-tiny-image"]({});
			const image = blocks.find((b) => b.type === "image");
			emit(image);
			return [blocks.length, image.mimeType];`,
			`[3,"image/png"]`},
		{"filesystem: list, read and aggregate in parallel", "fs=" + bin("filesystem") + " " + files, `
			const listing = await tools.fs.list_directory({ path: ` + fmt.Sprintf("%q", files) + ` });
			const text = typeof listing === "string" ? listing : listing.content;
			const names = text.split("\n").filter((l) => l.startsWith("[FILE] ")).map((l) => l.slice(7)).sort();
			const read = async (n) => {
				const r = await tools.fs.read_text_file({ path: ` + fmt.Sprintf("%q", files) + ` + "/" + n });
				return typeof r === "string" ? r : r.content;
			};
			const all = await parallel(names.map((n) => () => read(n)));
			return { files: names.length, words: all.reduce((n, s) => n + s.split(/\s+/).length, 0) };`,
			`{"files":3,"words":6}`},
		{"filesystem: what it refuses is a typed error", "fs=" + bin("filesystem") + " " + files, `
			try { await tools.fs.read_text_file({ path: "/etc/passwd" }) } catch (e) { return [e.code, e.server, e.tool, /denied/i.test(e.message)] }`,
			`["TOOL_ERROR","fs","read_text_file",true]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			status := run([]string{"run", "--server", c.server, "-e", c.source}, nil, &stdout, &stderr)
			if got := strings.TrimSpace(stdout.String()); status != 0 || !sameJSON(t, got, c.want) {
				t.Errorf("exit status %d\ngot  %s\nwant %s\n%s", status, got, c.want, &stderr)
			}
		})
	}
}
