package validate

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Job is a comparison to be made.
type Job struct {
	Options
	Expect  Expectation
	Observe Side
	// ExpectName and ObserveName are the names of the stages, for the report.
	ExpectName, ObserveName string

	Device string // "": all
	// From is the first time, To the first one beyond: both are moved outward to
	// whole windows.
	From, To time.Time

	// State is a file that keeps what was found so far: a run of the same job goes
	// on where the last one ended. "" keeps nothing.
	State string
	// Progress, when not nil, is called now and then, one call at a time.
	Progress func(Progress)
	// Discrepancy, when not nil, gets each discrepancy that is found, also those
	// that the result does not list.
	Discrepancy func(Discrepancy) error
	Logger      *slog.Logger // nil logs nothing
}

// Progress says how far a run has come.
type Progress struct {
	From, Reached, To time.Time // the range, and up to where it is done
	Phase             string    // reading, comparing
	Expected          Costs     // so far
	Observed          Costs
	Counts            Counts // of what is done
}

// Run compares. It blocks until all is compared. An error means that the
// comparison could not be made; what is wrong with the readings is in the result.
func Run(ctx context.Context, j Job) (*Result, error) {
	return nil, errors.New("validate: nothing compares yet")
}
