package feed

import (
	"errors"
	"fmt"
)

// Failure is one message of a batch that a sink did not take.
type Failure struct {
	// Index is the message's place in [Batch.Messages].
	Index int
	// Err says why. Wrapped by [Permanent] it will never succeed; otherwise
	// the route tries again.
	Err error
}

// BatchError says which messages of a batch failed. Every message that is not
// listed is durable. Failures stand in the order of their index, each once.
type BatchError struct {
	Failures []Failure
}

// Error reports the number of failures and the first of them.
func (e *BatchError) Error() string {
	if len(e.Failures) == 0 {
		return "batch failed"
	}
	return fmt.Sprintf("%d of the batch failed, the first: %v", len(e.Failures), e.Failures[0].Err)
}

// Unwrap returns the errors of all failures.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// Add appends a failure.
func (e *BatchError) Add(index int, err error) {
	e.Failures = append(e.Failures, Failure{Index: index, Err: err})
}

// ErrorOrNil returns e, or nil when nothing failed.
func (e *BatchError) ErrorOrNil() error {
	if e == nil || len(e.Failures) == 0 {
		return nil
	}
	return e
}

// SettleLostError is what closing a [Subscription] returns when the source could
// not be told of deliveries that were settled without an error: they come again.
type SettleLostError struct {
	Settled int
	Err     error
}

// Error says how many, and why.
func (e *SettleLostError) Error() string {
	return fmt.Sprintf("%d settled deliveries come again: %v", e.Settled, e.Err)
}

// Unwrap returns the reason.
func (e *SettleLostError) Unwrap() error { return e.Err }

// failuresOf returns what of a batch of n failed, in order of the index; or why
// nothing is known of it.
func failuresOf(err error, n int) ([]Failure, error) {
	if err == nil {
		return nil, nil
	}
	var failed *BatchError
	if !errors.As(err, &failed) {
		return nil, err
	}
	if failed == nil {
		return nil, errors.New("the sink returned a nil *BatchError as an error")
	}
	last := -1
	for _, f := range failed.Failures {
		if f.Err == nil {
			return nil, fmt.Errorf("the sink reported a failure of message %d without an error", f.Index)
		}
		if f.Index <= last || f.Index >= n {
			return nil, fmt.Errorf("the sink reported a failure of message %d of %d after one of %d (indexes must increase): %w", f.Index, n, last, f.Err)
		}
		last = f.Index
	}
	return failed.Failures, nil
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks err as one that no retry can mend: the message is malformed,
// refused by policy, not authorised. The route sends it to the quarantine.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err is, or wraps, a [Permanent] error.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}

type filteredError struct{ reason string }

func (e *filteredError) Error() string { return "filtered: " + e.reason }

// Filter is what a transform returns for a message that is to be dropped on
// purpose. The reason becomes a metric label: use few and constant ones.
func Filter(reason string) error { return &filteredError{reason} }

// FilterReason returns the reason of a [Filter] error.
func FilterReason(err error) (reason string, ok bool) {
	f, ok := errors.AsType[*filteredError](err)
	if !ok {
		return "", false
	}
	return f.reason, true
}

// IsTransient reports whether an error of a transform says that the message comes
// again: one that is neither a [Filter] nor [Permanent].
func IsTransient(err error) bool {
	if _, filtered := FilterReason(err); filtered || err == nil {
		return false
	}
	return !IsPermanent(err)
}

type connectionFatalError struct{ err error }

func (e *connectionFatalError) Error() string { return e.err.Error() }
func (e *connectionFatalError) Unwrap() error { return e.err }

// ConnectionFatal marks the failure of a message that stood at the head of
// what was sent when the peer ended the connection, or the channel, on purpose:
// an MQTT DISCONNECT such as 0x95 (packet too large), an AMQP channel exception
// such as 404 or 406. A message that does so twice is sent alone, and goes to
// the quarantine if it does it again. A connection that merely broke is not
// fatal: its cause is the network.
func ConnectionFatal(err error) error {
	if err == nil {
		return nil
	}
	return &connectionFatalError{err}
}

// IsConnectionFatal reports whether err is, or wraps, a [ConnectionFatal]
// error.
func IsConnectionFatal(err error) bool {
	_, ok := errors.AsType[*connectionFatalError](err)
	return ok
}

// ConfigError says what is wrong with a configuration, where and what to do.
type ConfigError struct {
	// Key is the path of the key from the stage's own section on, with dots
	// and brackets: "tls.caFile", "rules[2].topic".
	Key string
	// At is the character of the key's text at which the mistake is, counted from
	// 1; 0 is the key as a whole.
	At int
	// Problem says what is wrong, Remedy what to write instead.
	Problem string
	Remedy  string
}

// Error joins key, problem and remedy.
func (e *ConfigError) Error() string {
	s := e.Problem
	if e.Key != "" {
		s = e.Key + ": " + s
	}
	if e.Remedy != "" {
		s += " (" + e.Remedy + ")"
	}
	return s
}
