//go:build !race

package conformance_test

// every: the whole table.
const every = 1
