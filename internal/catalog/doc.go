// Package catalog is the immutable index of everything that the connected
// servers offer: which tools there are, which of them fit a query, and what
// their arguments and results look like as TypeScript. A model reads what it
// writes, and nearly every word of that came from a server: so names are
// escaped, descriptions are cleaned, schemas are bounded, and no text of a
// server can leave the comment or the literal in which it stands.
//
// A Catalog is built once from what the servers said and never changes; when
// something changes, build another one and swap the pointer. All of its
// methods are safe for concurrent use.
//
// It must not know how servers are reached, what policy says of a tool, or who
// asks: it is a pure function of its input, without clock, I/O or goroutines.
package catalog
