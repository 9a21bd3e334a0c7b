// Package prelude holds the JavaScript that the embedded engine loads into
// every isolate: captured built-ins and the libraries a program may reach for.
//
// Each file is one function expression that takes what it needs as arguments
// and returns what it offers, so it can be compiled late, in a realm that a
// hostile program has tampered with. The package does not know how the engine is
// driven, and nothing of hosts, programs or limits.
package prelude

import _ "embed"

// Primordials evaluates to a function of the global object that returns P, the
// captured built-ins. Call it before any code of a program runs.
//
//go:embed primordials.js
var Primordials string

// Core evaluates to a function (P, N) that defines what every program has, and
// returns the functions that the engine calls. API is the rest of what a
// program may call.
var (
	//go:embed core.js
	Core string

	//go:embed api.js
	API string
)

// The libraries evaluate to functions (P, N) that return an object of exports;
// N holds the natives that the comment at the top of each file names.
var (
	// Inspect exports inspect and format, as Node's util has them.
	//
	//go:embed inspect.js
	Inspect string

	// URL exports URL and URLSearchParams.
	//
	//go:embed url.js
	URL string

	// Text exports TextEncoder, TextDecoder, atob and btoa.
	//
	//go:embed text.js
	Text string

	// Clone exports structuredClone and DOMException.
	//
	//go:embed clone.js
	Clone string

	// Intl exports Intl and the locale-aware methods of built-in prototypes.
	//
	//go:embed intl.js
	Intl string

	// Values exports the JSON forms of what JSON.stringify drops.
	//
	//go:embed values.js
	Values string
)
