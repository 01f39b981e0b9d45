package report

import (
	"encoding/json"
	"io"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// WriteJSON writes the result itself, indented. Durations are nanoseconds.
func WriteJSON(w io.Writer, r *validate.Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
