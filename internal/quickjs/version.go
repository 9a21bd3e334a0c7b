package quickjs

// Name and EngineVersion are what a worker with this engine says of itself.
// The version is the release of QuickJS that modernc.org/libquickjs is made
// from.
const (
	Name          = "quickjs"
	EngineVersion = "2026-06-04"
)
