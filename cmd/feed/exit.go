package main

import (
	"errors"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// The exit codes; doc.go and "feed help exit-codes" explain them.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitDeadline = 3
	exitSignal   = 4
)

const exitCodesHelp = `The exit codes of feed:

  0  success; for run: stopped, and all that was in flight was settled;
     for validate: proven; for capacity: no warning
  1  failure at run time; for validate: something is wrong with what has arrived;
     for capacity: an outage is not bridged
  2  wrong usage or configuration; for validate also: it could not be compared,
     or not be decided
  3  run: the drain deadline passed; what was in flight went back to its source
  4  run: a second signal stopped it at once; what was in flight comes again`

// failure marks the error of a command that was used rightly and failed. All
// other errors are mistakes of usage or configuration.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// failed marks err as a failure; nil stays nil.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}

// exitCode returns the code for what a command returned.
func exitCode(err error) int {
	var (
		f  *failure
		ce *config.Error
		se *feed.ConfigError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, feed.ErrDrainDeadline):
		return exitDeadline
	case errors.As(err, &ce), errors.As(err, &se):
		return exitUsage
	case errors.As(err, &f):
		return exitFailure
	default:
		return exitUsage
	}
}
