//go:build !race

package lockdown_test

const raceTest = false
