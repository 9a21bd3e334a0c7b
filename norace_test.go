//go:build !race

package autoclave_test

const raceEnabled = false
