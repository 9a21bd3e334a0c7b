package quickjs

import (
	"fmt"
	"strings"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// unsendable is why JSON text that a program made must not cross the pipe, ""
// where it may. JSON.stringify writes what is nested as deep as the stack
// allows, and JSON.rawJSON whatever text a program has; the host takes neither
// from a worker, so it must be the program that hears of it.
func unsendable(body []byte) string {
	err := wire.ValidateJSON(body, wire.MaxDepth)
	switch {
	case err == nil:
		return ""
	case strings.Contains(err.Error(), "nested"):
		return fmt.Sprintf("it is nested more than %d deep", wire.MaxDepth)
	}
	return "it holds text that is not valid JSON in UTF-8, such as half of a surrogate pair"
}
