//go:build race

package prelude_test

const raceEnabled = true
