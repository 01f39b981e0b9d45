package amqp

import (
	"bytes"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// delivery is a delivery as it came, whatever its headers are. What is wrong
// inside of them concerns neither the connection nor the other deliveries: a
// connection that failed over them would fail again when the same message
// comes again, for ever.
type delivery struct {
	amqp091.Delivery

	// rawHeaders is the table of headers that nest too deep or are malformed,
	// without its length; Headers is nil then.
	rawHeaders []byte
}

// setHeaders takes the headers from a frame.
func (d *delivery) setHeaders(raw []byte) {
	var err error
	if d.Headers, err = readTable(raw, maxTableDepth); err != nil {
		d.rawHeaders = bytes.Clone(raw)
	}
}
