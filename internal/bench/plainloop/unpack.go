package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// unpacker unpacks batches with the standard library.
type unpacker struct{ unzip gzip.Reader }

// each calls on with each line of a batch, which on may keep, and the id of its
// reading.
func (u *unpacker) each(d *amqp.Delivery, on func(line []byte, id string) error) error {
	frame, err := batch.Parse(d.Body, batch.Limits{})
	if err != nil {
		return err
	}
	if err := u.unzip.Reset(bytes.NewReader(frame.Body)); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	lines, n := bufio.NewScanner(&u.unzip), 0
	for ; lines.Scan(); n++ {
		// amqp091 keeps it until it is written.
		if err := on(bytes.Clone(lines.Bytes()), fmt.Sprintf("%s/%d/%d", frame.Device, frame.Sequence, n)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if n != frame.Count {
		return fmt.Errorf("a batch of %d readings has %d lines", frame.Count, n)
	}
	return nil
}
