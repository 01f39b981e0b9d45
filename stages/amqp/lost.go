package amqp

import (
	"strings"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// lostError is the end of a connection by the network. It unwraps to what the
// client library made of it.
type lostError struct{ end *amqp091.Error }

func (e lostError) Error() string { return "connection lost: " + e.end.Reason }
func (e lostError) Unwrap() error { return e.end }

// explainEnd names a lost connection as that. The client library calls any
// failure to read or write a frame error (501), as if the broker had sent
// nonsense; of what is one, the reason is an exception's text.
func explainEnd(e *amqp091.Error) error {
	if e.Code == amqp091.FrameError && !e.Server && !strings.HasPrefix(e.Reason, "Exception (") {
		return lostError{e}
	}
	return e
}
