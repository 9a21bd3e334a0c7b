//go:build race

package autoclave_test

// raceEnabled: under the detector the engine is some 45 times slower, so tests
// run fewer programs.
const raceEnabled = true
