//go:build !linux

package quickjs

const discardZeroes = false
