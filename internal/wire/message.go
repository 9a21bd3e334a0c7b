package wire

import "encoding/json"

// Version is the protocol's version. A worker that says another one in its
// hello is refused: the worker is the same executable as the host, so a
// mismatch means that something else answered.
const Version = 1

// Type names a message. The direction belongs to the type: a host that gets a
// host message from a worker treats it as a protocol violation.
type Type string

// Messages from the host to the worker.
const (
	TypeCatalog Type = "catalog" // Catalog; body: CatalogBody as JSON
	TypeExecute Type = "execute" // ID, Limits, Seed, Catalog; body: the program, UTF-8
	TypeReturn  Type = "return"  // ID, Call, Form or Error; body: JSON
	TypeCancel  Type = "cancel"  // ID, Reason
	TypeReset   Type = "reset"   // Limits.Heap and Limits.Stack of the next isolate
)

// TypeCache goes both ways, at the start alone: a worker that was started to
// compile says what it made, opaque to the host, and later workers are given
// it.
const TypeCache Type = "cache"

// Messages from the worker to the host.
const (
	TypeHello    Type = "hello"    // Protocol, Engine, EngineVersion, Lockdown
	TypeArmed    Type = "armed"    // Generation
	TypeStarted  Type = "started"  // ID
	TypeCall     Type = "call"     // ID, Call, Kind, Server, Name, Timeout; body: arguments, JSON
	TypeEmit     Type = "emit"     // ID; body: one content block, JSON
	TypeLog      Type = "log"      // ID, Level, Truncated; body: text, UTF-8
	TypeProgress Type = "progress" // ID, Done, Total, Message
	TypeDone     Type = "done"     // ID, Error, Usage, Warnings; body: the value, JSON
)

// Kind says what a call asks the host for.
type Kind string

// Kinds of host calls and what their Server, Name and body mean.
const (
	KindTool           Kind = "tool"            // Server, Name: tool; body: arguments
	KindResourceRead   Kind = "resource.read"   // Server, Name: URI
	KindResourceList   Kind = "resource.list"   // Server, or empty for all
	KindStashPut       Kind = "stash.put"       // Name: key; body: {"value":…,"ttl":seconds}
	KindStashGet       Kind = "stash.get"       // Name: key
	KindStashDelete    Kind = "stash.delete"    // Name: key
	KindStashKeys      Kind = "stash.keys"      //
	KindCatalogServers Kind = "catalog.servers" //
	KindCatalogSearch  Kind = "catalog.search"  // Name: query; body: {"server":…,"limit":…}
	KindCatalogTypes   Kind = "catalog.types"   // Server, Name: tool or empty
)

// Form says how the body of a return is to be read.
type Form string

// Forms of a return's body.
const (
	FormValue  Form = ""       // the value itself
	FormMCP    Form = "mcp"    // an MCP CallToolResult, to be mapped by the worker
	FormAbsent Form = "absent" // no value: undefined; the body is empty
)

// Log levels, as console's methods are named.
const (
	LevelDebug = "debug"
	LevelLog   = "log"
	LevelInfo  = "info"
	LevelWarn  = "warn"
	LevelError = "error"
)

// Header is the JSON part of every frame. One struct serves all messages: the
// constants above say which fields belong to which type. Fields that a peer
// does not know are ignored, so that either side can be newer.
type Header struct {
	Type Type   `json:"type"`
	ID   uint64 `json:"id,omitempty"`
	Call uint64 `json:"call,omitempty"`

	Kind    Kind   `json:"kind,omitempty"`
	Server  string `json:"server,omitempty"`
	Name    string `json:"name,omitempty"`
	Timeout int64  `json:"timeout_ms,omitempty"`
	Form    Form   `json:"form,omitempty"`
	Error   *Error `json:"error,omitempty"`

	Level     string `json:"level,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`

	Done    float64  `json:"done,omitempty"`
	Total   *float64 `json:"total,omitempty"`
	Message string   `json:"message,omitempty"`
	Reason  string   `json:"reason,omitempty"`

	Usage    *Usage   `json:"usage,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	Limits *Limits `json:"limits,omitempty"`
	// Seed is 32 random bytes in base64: all randomness that a program has.
	Seed []byte `json:"seed,omitempty"`
	// Catalog is a catalog's version: what it is in a catalog message, which
	// one applies in an execute message (empty: none, every name passes).
	Catalog string `json:"catalog,omitempty"`

	Generation uint64 `json:"generation,omitempty"`

	Protocol      int             `json:"protocol,omitempty"`
	Engine        string          `json:"engine,omitempty"`
	EngineVersion string          `json:"engine_version,omitempty"`
	Lockdown      json.RawMessage `json:"lockdown,omitempty"`
}

// Limits are the bounds of one execution as the worker is told them. The
// worker keeps them for the sake of better messages; the host enforces its
// own. Zero means that the worker need not keep that bound.
type Limits struct {
	CPU         int64 `json:"cpu_ms,omitempty"`
	Heap        int64 `json:"heap,omitempty"`  // bytes
	Stack       int64 `json:"stack,omitempty"` // calls deep
	Program     int64 `json:"program,omitempty"`
	Result      int64 `json:"result,omitempty"`
	Arguments   int64 `json:"arguments,omitempty"`
	CallResult  int64 `json:"call_result,omitempty"`
	Calls       int64 `json:"calls,omitempty"`
	Concurrency int64 `json:"concurrency,omitempty"`
	CallTimeout int64 `json:"call_timeout_ms,omitempty"`
	Logs        int64 `json:"logs,omitempty"`
	Emits       int64 `json:"emits,omitempty"`
	// Preview asks for the beginning of a value over Result instead of an
	// error.
	Preview bool `json:"preview,omitempty"`
}

// Usage is what the worker says that an execution took. The host measures
// what it can itself and believes this only for what it cannot see.
type Usage struct {
	CPU      int64 `json:"cpu_us,omitempty"`
	HeapPeak int64 `json:"heap_peak,omitempty"`
	Calls    int64 `json:"calls,omitempty"`
}

// CatalogServer is one element of a catalog message's body, which is a JSON
// array of them.
type CatalogServer struct {
	Name  string   `json:"name"`
	Tools []string `json:"tools"`
}

// What console output and progress cost towards their limits: counted alike on
// both sides, so that a host can tell an honest worker from a flood.
const (
	// LogOverhead is added to the size of each log entry's text.
	LogOverhead = 16
	// LogSlack is how far over Limits.Logs the mark of a cut may take the sum.
	LogSlack = 256
	// EmitOverhead is added to the size of each emitted block.
	EmitOverhead = 256
	// MaxProgress is how many progress messages an execution may send; a
	// worker drops what is over it.
	MaxProgress = 1000
	// MaxProgressMessage is the size of a progress message's text, in bytes.
	MaxProgressMessage = 1 << 10
	// MaxWarnings is how many warnings a done message may have.
	MaxWarnings = 16
)

// What an engine needs at least, and what it bears at most: the bounds of the
// heap limit in bytes, and of the depth of calls.
const (
	MinHeap  = 2 << 20
	MinStack = 100
	MaxStack = 10000
)

// FromHost reports whether messages of this type come from the host.
func FromHost(t Type) bool {
	switch t {
	case TypeCatalog, TypeExecute, TypeReturn, TypeCancel, TypeReset:
		return true
	}
	return false
}

// FromWorker reports whether messages of this type come from the worker.
func FromWorker(t Type) bool {
	switch t {
	case TypeHello, TypeArmed, TypeStarted, TypeCall, TypeEmit, TypeLog, TypeProgress, TypeDone:
		return true
	}
	return false
}
