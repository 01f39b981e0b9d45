package feed

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// PanicError is the panic of a stage: what the stage was about fails, and the
// program goes on. A route logs it once with its stack.
type PanicError struct {
	What  string // that panicked, such as "transform"
	Value any    // that it panicked with
	At    string // the place in the stage's own code: function, file and line
	Stack string // all of it, of many lines
}

// Error says what panicked where, and with what; it has no stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("%s panicked at %s: %v", e.What, e.At, e.Value)
}

// Recovered makes an error of what recover has returned. The deferred function
// that recovers calls it, itself.
func Recovered(what string, value any) *PanicError {
	return &PanicError{What: what, Value: value, At: placeOfPanic(), Stack: string(debug.Stack())}
}

// placeOfPanic returns the place nearest to the panic that is not the standard
// library's, or that one if there is none before the function that has recovered.
func placeOfPanic() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // from the deferred function on
	frame, more := frames.Next()
	recovers, _, _ := strings.Cut(frame.Function, ".func")
	for more && frame.Function != "runtime.gopanic" {
		frame, more = frames.Next()
	}
	nearest := ""
	for more {
		frame, more = frames.Next()
		if frame.Function == recovers {
			break
		}
		if strings.HasPrefix(frame.Function, "runtime.") {
			continue
		}
		at := fmt.Sprintf("%s (%s:%d)", frame.Function, filepath.Base(frame.File), frame.Line)
		if !inStandardLibrary(frame.Function) {
			return at
		}
		if nearest == "" {
			nearest = at
		}
	}
	return nearest
}

// inStandardLibrary reports whether a function is of a package whose path has no
// domain, as those of the standard library have none.
func inStandardLibrary(function string) bool {
	first, _, deep := strings.Cut(function, "/")
	if !deep {
		first, _, _ = strings.Cut(function, ".")
	}
	return first != "main" && !strings.Contains(first, ".")
}

// logPanic logs the stack of a panic that is within err. A place that panics at
// each message of many is logged once a minute.
func (r *runner) logPanic(stage string, err error) {
	var p *PanicError
	if !errors.As(err, &p) {
		return
	}
	now := time.Now()
	if last, again := r.panics[p.At]; again && now.Sub(last) < stillInterval {
		return
	}
	r.panics[p.At] = now
	r.log.Error("a stage panicked", "stage", stage, "panic", p.Error(), "stack", p.Stack)
}
