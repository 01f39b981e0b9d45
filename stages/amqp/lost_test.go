package amqp

import (
	"errors"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

func TestExplainEnd(t *testing.T) {
	for want, e := range map[string]*amqp091.Error{
		"connection lost: read tcp 127.0.0.1:5672: connection reset by peer":              {Code: amqp091.FrameError, Reason: "read tcp 127.0.0.1:5672: connection reset by peer"},
		`Exception (501) Reason: "Exception (501) Reason: \"frame could not be parsed\""`: {Code: amqp091.FrameError, Reason: amqp091.ErrFrame.Error()},
		`Exception (501) Reason: "FRAME_ERROR - cannot decode"`:                           {Code: amqp091.FrameError, Reason: "FRAME_ERROR - cannot decode", Server: true},
		`Exception (320) Reason: "CONNECTION_FORCED - broker forced connection closure"`:  {Code: amqp091.ConnectionForced, Reason: "CONNECTION_FORCED - broker forced connection closure", Server: true},
	} {
		err := explainEnd(e)
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		if !errors.Is(err, e) {
			t.Errorf("%q does not unwrap to the library's error", err)
		}
	}
}
