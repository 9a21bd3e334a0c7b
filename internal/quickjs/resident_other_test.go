//go:build !linux

package quickjs

func residentBytes() int64 { return 0 }
