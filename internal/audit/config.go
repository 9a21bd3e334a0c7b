package audit

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Consequence says what follows when a record cannot be written.
type Consequence string

const (
	// Fail: the execution fails, as it must not go unrecorded.
	Fail Consequence = "fail"
	// Drop: the record is dropped and counted.
	Drop Consequence = "drop"
)

// Stderr as Config.Path is the host's standard error.
const Stderr = "stderr"

// Config says where records go. Zero in a field means the default.
type Config struct {
	// Path is a file that is appended to, or Stderr. It must be set. The
	// directory must be there; a file that is not there is made, for its owner
	// alone to read.
	Path string
	// ProgramText says that records have the text of programs, not only its
	// hash. What writes the records minds it; the Sink does not.
	ProgramText bool
	// OnFailure says what follows when a record cannot be written in time.
	// Default Fail.
	OnFailure Consequence
	// Timeout bounds how long one write may take; one that takes longer has
	// failed. Default 5 s. Negative: no bound.
	Timeout time.Duration
	// Logger hears of the first failure of a row, and of its end. Nil: nobody.
	Logger *slog.Logger
	// Writer takes the place of the file, for tests and for hosts that have a
	// place of their own. Path is not looked at then.
	Writer io.Writer
}

func (c Config) withDefaults() (Config, error) {
	if c.Path == "" && c.Writer == nil {
		return c, fmt.Errorf("audit: Path is empty: it must be a file, or %q", Stderr)
	}
	switch c.OnFailure {
	case "":
		c.OnFailure = Fail
	case Fail, Drop:
	default:
		return c, fmt.Errorf("audit: OnFailure is %q: it can be %q or %q", c.OnFailure, Fail, Drop)
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
