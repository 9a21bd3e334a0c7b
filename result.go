package autoclave

import (
	"encoding/json"
	"time"
)

// Program is what is to run.
type Program struct {
	// Source is JavaScript or TypeScript: an async function, or a script
	// body with top-level await and return.
	Source string
	// Tenant is on whose behalf the program runs. A worker process never
	// serves two tenants. The empty tenant is one like any other.
	Tenant string
	// Engine names the engine: Config.Engine, which is meant where it is
	// empty, or one of Config.Engines.
	Engine string
	// Limits may lower what Config allows; zero fields leave it.
	Limits Limits
	// Preview makes a value over Limits.Result no failure: the value is then
	// {"truncated":true,"bytes":…,"preview":"…"}, with the size of its JSON
	// and how that begins, and a warning says so.
	Preview bool
}

// Result is what came of an execution. Its JSON form is stable.
type Result struct {
	OK bool `json:"ok"`
	// Value is the program's value, as JSON. Nil where the program failed.
	Value json.RawMessage `json:"value,omitempty"`
	// Error is the failure; Execute returns the same.
	Error *Error `json:"error,omitempty"`
	// Warnings are what the program should have minded: calls it did not
	// await, rejections that nobody handled.
	Warnings []string `json:"warnings,omitempty"`
	// Logs is the console output, in order.
	Logs []LogEntry `json:"logs,omitempty"`
	// Emits are the content blocks that the program emitted, in order.
	Emits []json.RawMessage `json:"emits,omitempty"`
	// Calls are the host calls, in the order in which they were made.
	Calls  []CallRecord `json:"calls,omitempty"`
	Usage  Usage        `json:"usage"`
	Worker *WorkerInfo  `json:"worker,omitempty"`
}

// CallRecord is one host call.
type CallRecord struct {
	// Kind is empty for a tool, else what was asked for: "resource.read",
	// "stash.get" and so on. Tool then holds the URI, the key, the query.
	Kind   string  `json:"kind,omitempty"`
	Server string  `json:"server,omitempty"`
	Tool   string  `json:"tool,omitempty"`
	Millis float64 `json:"ms"`
	OK     bool    `json:"ok"`
	Code   Code    `json:"code,omitempty"`
	// BytesOut is the size of the arguments, BytesIn that of the result.
	BytesIn  int `json:"bytes_in"`
	BytesOut int `json:"bytes_out"`
}

// Usage is what an execution took.
type Usage struct {
	// Queue is the time until a worker had it, Run the time in the worker,
	// CPU what the worker's process computed in that time.
	Queue time.Duration
	Run   time.Duration
	CPU   time.Duration
	// HeapPeak is the most memory that the engine held, in bytes, as the
	// worker says.
	HeapPeak int64
	Calls    int
	// BytesIn and BytesOut are the sums over the calls.
	BytesIn  int64
	BytesOut int64
}

type usageJSON struct {
	Queue    int64 `json:"queue_us"`
	Run      int64 `json:"run_us"`
	CPU      int64 `json:"cpu_us"`
	HeapPeak int64 `json:"heap_peak"`
	Calls    int   `json:"calls"`
	BytesIn  int64 `json:"bytes_in"`
	BytesOut int64 `json:"bytes_out"`
}

// MarshalJSON writes times in microseconds.
func (u Usage) MarshalJSON() ([]byte, error) {
	return json.Marshal(usageJSON{u.Queue.Microseconds(), u.Run.Microseconds(), u.CPU.Microseconds(), u.HeapPeak, u.Calls, u.BytesIn, u.BytesOut})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (u *Usage) UnmarshalJSON(b []byte) error {
	var j usageJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*u = Usage{
		time.Duration(j.Queue) * time.Microsecond, time.Duration(j.Run) * time.Microsecond, time.Duration(j.CPU) * time.Microsecond,
		j.HeapPeak, j.Calls, j.BytesIn, j.BytesOut,
	}
	return nil
}

// WorkerInfo says where an execution ran.
type WorkerInfo struct {
	PID           int    `json:"pid"`
	Engine        string `json:"engine"`
	EngineVersion string `json:"engine_version,omitempty"`
	// Generation counts the isolates of that process, from 1.
	Generation uint64 `json:"generation"`
	// Reused says that the process had served before.
	Reused bool `json:"reused"`
	// Lockdown is the level that confined it.
	Lockdown string `json:"lockdown"`
}
