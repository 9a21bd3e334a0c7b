package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The oldest Node.js that will do: contexts that are ordinary objects, and
// the permission model under its own name, came before it.
const (
	MinMajor = 22
	MinMinor = 13
)

// Info is what is known of a node executable.
type Info struct {
	// Path is the executable itself, whatever the name led to.
	Path string
	// Version is as "22.13.0", V8 as "12.4.254.21-node.21".
	Version string
	V8      string
	// Libraries are the files that it is linked with, the dynamic loader's
	// own among them.
	Libraries []string
}

// CodeRange is how much memory V8 sets aside for the code that it compiles, in
// bytes, beyond what its data takes: from version 13 on as memory that can be
// written, whether it is used or not.
func (i Info) CodeRange() int64 {
	if major, _, err := parseVersion(i.V8); err == nil && major < 13 {
		return 0
	}
	return 640 << 20
}

// An Error is a node executable that cannot be used. Its text says what to do.
type Error struct {
	Path string // what was asked for; empty: node on the PATH
	What string
	err  error
}

func (e *Error) Error() string {
	name := "node on the PATH"
	if e.Path != "" {
		name = e.Path
	}
	return fmt.Sprintf("the v8 engine needs Node.js %d.%d or later, and %s %s: install one from https://nodejs.org (npm's package node has it, too), or name one in the configuration",
		MinMajor, MinMinor, name, e.What)
}

func (e *Error) Unwrap() error { return e.err }

// question has node tell about itself.
const question = `process.report.excludeNetwork=true;process.report.excludeEnv=true;const r=process.report.getReport();console.log(JSON.stringify({path:process.execPath,version:process.versions.node,v8:process.versions.v8,libraries:r.sharedObjects}))`

// inspectTime is how long node may take to answer.
const inspectTime = 20 * time.Second

// Inspect finds the node executable, the one on the PATH where path is empty,
// and asks it what it is. It runs it, as the user that this process is, with
// nothing that a program has said. What it cannot use is an *Error.
func Inspect(ctx context.Context, path string) (Info, error) {
	fail := func(err error, format string, args ...any) (Info, error) {
		return Info{}, &Error{Path: path, What: fmt.Sprintf(format, args...), err: err}
	}
	found := path
	if found == "" {
		found = "node"
	}
	exe, err := exec.LookPath(found)
	if err != nil {
		return fail(err, "is not there")
	}
	if exe, err = filepath.Abs(exe); err != nil {
		return fail(err, "has no absolute path (%v)", err)
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-e", question)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NODE_") })
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fail(err, "does not run (%v: %.200s)", err, bytes.TrimSpace(stderr.Bytes()))
	}
	var told struct {
		Path      string   `json:"path"`
		Version   string   `json:"version"`
		V8        string   `json:"v8"`
		Libraries []string `json:"libraries"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &told); err != nil || told.Path == "" || told.V8 == "" {
		return fail(err, "does not answer as Node.js does (%.100q)", bytes.TrimSpace(stdout.Bytes()))
	}
	major, minor, err := parseVersion(told.Version)
	if err != nil {
		return fail(err, "has the version %q", told.Version)
	}
	if major < MinMajor || major == MinMajor && minor < MinMinor {
		return fail(nil, "is %s", told.Version)
	}
	info := Info{Path: told.Path, Version: told.Version, V8: told.V8}
	// The cache of the dynamic loader is where it looks libraries up.
	for _, lib := range append([]string{"/etc/ld.so.cache"}, told.Libraries...) {
		if !filepath.IsAbs(lib) || lib == told.Path {
			continue // what the kernel provides itself
		}
		info.Libraries = append(info.Libraries, lib)
	}
	return info, nil
}

func parseVersion(s string) (major, minor int, err error) {
	parts := strings.SplitN(s, ".", 3)
	if len(parts) < 2 {
		return 0, 0, errors.New("a version has two numbers at least")
	}
	if major, err = strconv.Atoi(parts[0]); err != nil {
		return 0, 0, err
	}
	minor, err = strconv.Atoi(parts[1])
	return major, minor, err
}
