package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// outExchange is where single readings go.
const outExchange = "bench-out"

// unbatch publishes the readings of a queue's batches one by one, persistent and
// confirmed. A batch is acknowledged when all of its readings are confirmed;
// others are published meanwhile, as far as they were delivered.
func unbatch(ctx context.Context, j job) error {
	source, err := consume(ctx, j.queue, j.prefetch)
	if err != nil {
		return err
	}
	defer source.conn.Close() //nolint:errcheck // everything is acknowledged, or will be delivered again
	out, err := openPublisher(outExchange)
	if err != nil {
		return err
	}
	defer out.conn.Close() //nolint:errcheck // everything is confirmed, or will be delivered again

	var (
		unzip    unpacker
		inFlight []unpacked // oldest first
	)
	deliveries := source.deliveries
	for deliveries != nil || len(inFlight) > 0 {
		var confirmed <-chan struct{}
		if len(inFlight) > 0 {
			confirmed = inFlight[0].confirms[0].Done()
		}
		select {
		case d, ok := <-deliveries:
			if !ok {
				if err := source.ended(ctx); err != nil {
					return err
				}
				deliveries = nil
				continue
			}
			u := unpacked{tag: d.DeliveryTag}
			err := unzip.each(&d, func(line []byte, id string) error {
				key, err := keyOfPayload(line)
				if err != nil {
					return err
				}
				c, err := out.publish(line, key, id)
				u.confirms = append(u.confirms, c)
				return err
			})
			if err != nil {
				return err
			}
			inFlight = append(inFlight, u)
		case <-confirmed:
			first := &inFlight[0]
			if !first.confirms[0].Acked() {
				return errors.New("RabbitMQ refused a message")
			}
			if first.confirms = first.confirms[1:]; len(first.confirms) > 0 {
				continue
			}
			if err := source.channel.Ack(first.tag, false); err != nil {
				return fmt.Errorf("acknowledge: %w", err)
			}
			inFlight = inFlight[1:]
		case err := <-out.closed:
			return fmt.Errorf("RabbitMQ has closed the channel: %w", err)
		}
	}
	return nil
}

// unpacked is a batch whose readings wait for their confirms.
type unpacked struct {
	tag      uint64
	confirms []*amqp.DeferredConfirmation
}

// keyOfPayload makes the routing key of a reading.
func keyOfPayload(line []byte) (string, error) {
	var p place
	if err := json.Unmarshal(line, &p); err != nil {
		return "", fmt.Errorf("read a line: %w", err)
	}
	return p.key(), nil
}

// place is where a reading comes from.
type place struct {
	Site   string `json:"site"`
	Line   string `json:"line"`
	Device string `json:"device"`
	Tag    string `json:"tag"`
}

// key is the routing key of its readings.
func (p *place) key() string {
	return "telemetry." + p.Site + "." + p.Line + "." + p.Device + "." + p.Tag
}
