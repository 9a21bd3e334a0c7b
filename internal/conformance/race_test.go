//go:build race

package conformance_test

// every: under the detector the engine is some 45 times slower, and the table
// is about what it computes, not about goroutines.
const every = 10
