package wire

// Error is a failure as it crosses the pipe and as a model reads it. The
// fields after Suggestion are present only where they apply.
type Error struct {
	Code       string `json:"code"`
	Message    string `json:"message"`
	Retryable  bool   `json:"retryable"`
	Suggestion string `json:"suggestion,omitempty"`
	Server     string `json:"server,omitempty"`
	Tool       string `json:"tool,omitempty"`
	// Line and Column are 1-based positions in the author's source.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Frame shows the source line with a caret below the position.
	Frame string `json:"frame,omitempty"`
	// Stack is the program's own stack, positions in the author's source.
	Stack string `json:"stack,omitempty"`
}

// Error codes. A code is stable: callers and models branch on it.
const (
	CodeSyntax        = "SYNTAX_ERROR"
	CodeScript        = "SCRIPT_ERROR"
	CodeInvalidResult = "INVALID_RESULT"
	CodeNeverSettles  = "NEVER_SETTLES"

	CodeCPULimit        = "CPU_LIMIT"
	CodeTimeout         = "TIMEOUT"
	CodeHeapLimit       = "HEAP_LIMIT"
	CodeOutputLimit     = "OUTPUT_LIMIT"
	CodeCodeLimit       = "CODE_LIMIT"
	CodeCallLimit       = "CALL_LIMIT"
	CodeArgumentLimit   = "ARGUMENT_LIMIT"
	CodeCallResultLimit = "CALL_RESULT_LIMIT"
	CodeEmitLimit       = "EMIT_LIMIT"

	CodeCancelled    = "CANCELLED"
	CodeOverloaded   = "OVERLOADED"
	CodeShuttingDown = "SHUTTING_DOWN"

	CodeServerNotFound   = "SERVER_NOT_FOUND"
	CodeToolNotFound     = "TOOL_NOT_FOUND"
	CodeResourceNotFound = "RESOURCE_NOT_FOUND"
	CodeInvalidArguments = "INVALID_ARGUMENTS"
	CodeToolError        = "TOOL_ERROR"
	CodeUpstreamError    = "UPSTREAM_ERROR"
	CodeUpstreamTimeout  = "UPSTREAM_TIMEOUT"
	CodeCircuitOpen      = "CIRCUIT_OPEN"
	CodePolicyDenied     = "POLICY_DENIED"
	CodeApprovalDenied   = "APPROVAL_DENIED"
	CodeRateLimited      = "RATE_LIMITED"
	CodeStashError       = "STASH_ERROR"

	CodeWorkerCrashed = "WORKER_CRASHED"
	CodeProtocolError = "PROTOCOL_ERROR"
	CodeInternal      = "INTERNAL"
)
