package http

import (
	"fmt"
	nethttp "net/http"
	"time"
)

// longestRetryAfter bounds how long a receiver can make the sink wait.
const longestRetryAfter = 5 * time.Minute

// answer is what a receiver said to a request.
type answer struct {
	status     int
	retryAfter time.Duration // 0: nothing was said
	text       string        // the beginning of the body, for people
	location   string        // of a redirect
}

// verdict is what an answer means for the messages of the request.
type verdict uint8

const (
	stored verdict = iota
	// blamed: the content is refused, and will be again.
	blamed
	// tryAgain: the same request may succeed later.
	tryAgain
)

// verdict follows RFC 9110, section 15, RFC 6585 and RFC 7725 (451).
func (a answer) verdict() verdict {
	switch a.status {
	case nethttp.StatusBadRequest,
		nethttp.StatusNotAcceptable,
		nethttp.StatusLengthRequired,
		nethttp.StatusPreconditionFailed,
		nethttp.StatusRequestEntityTooLarge,
		nethttp.StatusRequestURITooLong,
		nethttp.StatusUnsupportedMediaType,
		nethttp.StatusRequestedRangeNotSatisfiable,
		nethttp.StatusExpectationFailed,
		nethttp.StatusUnprocessableEntity,
		nethttp.StatusRequestHeaderFieldsTooLarge,
		nethttp.StatusUnavailableForLegalReasons:
		if a.retryAfter == 0 {
			return blamed
		}
		// It passes: RFC 9110, section 15.5.14.
	}
	if a.status/100 == 2 {
		return stored
	}
	return tryAgain
}

// error says what the answer was.
func (a answer) error() error {
	s := fmt.Sprintf("the receiver answered %d %s", a.status, nethttp.StatusText(a.status))
	if a.location != "" {
		s += fmt.Sprintf(" to %s, which is not followed: write that address", a.location)
	}
	if a.text != "" {
		s += ": " + a.text
	}
	return fmt.Errorf("%s", s)
}
