// Package node is the V8 engine: the worker in JavaScript that Node.js runs,
// and what is known about a node executable. The worker speaks the same
// protocol as the embedded engine's and has the same prelude.
//
// It knows nothing of processes, of what confines them, or of how the texts
// reach Node.js: package worker starts it.
package node

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/autoclave-run/autoclave/internal/quickjs/prelude"
)

// Name is what a worker with this engine calls it.
const Name = "v8"

var (
	//go:embed js/main.js
	mainSource string
	//go:embed js/isolate.js
	isolateSource string
	//go:embed js/adapter.js
	adapterSource string
)

// Bundle returns the worker's texts as JSON, for the loader.
func Bundle() ([]byte, error) {
	var p strings.Builder
	p.WriteString("(function () {\nconst sources = { __proto__: null };\n")
	for _, f := range []struct{ name, text string }{
		{"primordials", prelude.Primordials},
		{"core", prelude.Core},
		{"api", prelude.API},
		{"inspect", prelude.Inspect},
		{"url", prelude.URL},
		{"text", prelude.Text},
		{"clone", prelude.Clone},
		{"values", prelude.Values},
	} {
		fmt.Fprintf(&p, "sources.%s = %s;\n", f.name, strings.TrimRight(f.text, "\n"))
	}
	fmt.Fprintf(&p, "return (%s)(sources);\n})()", strings.TrimRight(adapterSource, "\n"))
	b, err := json.Marshal(map[string]string{"main": mainSource, "isolate": isolateSource, "prelude": p.String()})
	if err != nil {
		return nil, fmt.Errorf("encoding the worker's texts: %w", err)
	}
	return b, nil
}

// Boot is what the worker is told at its start, as JSON.
type Boot struct {
	// Heap is the limit of the first isolate, in bytes.
	Heap int64 `json:"heap"`
	// MaxFrame bounds a frame in bytes, both ways.
	MaxFrame int `json:"max_frame"`
	// Lazy is as in the boot message of a worker.
	Lazy bool `json:"lazy,omitempty"`
	// Stock is how many isolates are kept armed.
	Stock int `json:"stock,omitempty"`
	// Report is the lockdown report, for hello.
	Report json.RawMessage `json:"report"`
	// ShaperIn and ShaperOut are the descriptors of the process that brings
	// programs into shape: its input and its output.
	ShaperIn  int `json:"shaper_in"`
	ShaperOut int `json:"shaper_out"`
}

// loader reads the texts and the boot message from their descriptors, closes
// them and the empty file, and begins.
const loader = `"use strict";const fs=require("fs"),read=(fd)=>{const a=[];for(let b;(b=Buffer.alloc(65536)),(n=fs.readSync(fd,b,0,65536,null))>0;)a.push(b.subarray(0,n));fs.closeSync(fd);return JSON.parse(Buffer.concat(a))};let n;const t=read(%d),b=read(%d);fs.closeSync(%d);require("vm").runInThisContext(t.main,{filename:"autoclave:main"})(require,process,t,b)`

// Arguments returns the arguments of node. texts and boot are the descriptors
// of what Bundle returned and of a Boot, empty that of an empty file.
func Arguments(texts, boot, empty int, jitless bool) []string {
	args := []string{
		"autoclave-worker",
		// No file, process, addon or inspector; threads are the isolates.
		"--permission", "--allow-worker",
		// What V8 calls back when it makes a stack or imports is set to
		// functions of the program's realm: only these bindings can do it.
		"--expose-internals",
		"--no-warnings", "--no-deprecation", "--no-addons",
		// Threads of V8's own collect garbage and compile beside the program.
		"--v8-pool-size=2",
	}
	if jitless {
		args = append(args, "--jitless")
	}
	return append(args, "--eval", fmt.Sprintf(loader, texts, boot, empty))
}

// Environment is what node is started with. V8 would look for a time zone file
// otherwise, libuv would start four threads, and OpenSSL does not live without
// a configuration that it may read: empty is the descriptor of an empty file.
func Environment(empty int) []string {
	return []string{"TZ=UTC", "UV_THREADPOOL_SIZE=1", fmt.Sprintf("OPENSSL_CONF=/proc/self/fd/%d", empty)}
}
