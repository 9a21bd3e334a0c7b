// Package gateway is the face that MCP clients see: a server with two tools,
// search and execute, over the tools of all upstreams. It keeps the sessions,
// says what came of a program in a form that a model can use at once, and
// carries progress, log lines, cancellation and an upstream's questions
// between a program and the client that sent it.
//
// A Gateway serves one client over any transport with Serve, and many over
// Streamable HTTP with the HTTP that NewHTTP makes: that knows whose a request
// is, what a client may hold, and when it is over.
//
// It must not know how upstreams are reached, nor what policy says of a call:
// it gets a host for each execution from its configuration, and whatever a
// program asks goes there. What says what came of a program must not know what
// carries the protocol either: that is in the files http*.go and stdio.go.
package gateway
