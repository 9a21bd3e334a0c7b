// Package gateway is the face that MCP clients see: a server with two tools,
// search and execute, over the tools of all upstreams. It keeps the sessions,
// says what came of a program in a form that a model can use at once, and
// carries progress, log lines, cancellation and an upstream's questions
// between a program and the client that sent it.
//
// It must not know how upstreams are reached, nor what policy says of a call:
// it gets a host for each execution from its configuration, and whatever a
// program asks goes there. It must not know what carries the protocol either:
// Serve takes any transport, and Server may be handed to an HTTP handler.
package gateway
