// Package autoclave runs JavaScript and TypeScript that language models
// write: in warm worker processes, locked down by the kernel, with a fresh
// engine for every execution.
package autoclave
