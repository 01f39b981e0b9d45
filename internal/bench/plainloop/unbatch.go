package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed/reading/batch"
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
	out, err := openPublisher()
	if err != nil {
		return err
	}
	defer out.conn.Close() //nolint:errcheck // everything is confirmed, or will be delivered again

	var inFlight []unpacked // oldest first
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
			u, err := out.publish(&d)
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

// publisher is a channel with confirms.
type publisher struct {
	conn    *amqp.Connection
	channel *amqp.Channel
	closed  chan *amqp.Error
	unzip   gzip.Reader
}

func openPublisher() (*publisher, error) {
	conn, err := amqp.Dial(os.Getenv("AMQP_URL"))
	if err != nil {
		return nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	p := &publisher{conn: conn}
	if p.channel, err = conn.Channel(); err == nil {
		err = p.channel.Confirm(false)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	p.closed = p.channel.NotifyClose(make(chan *amqp.Error, 1))
	return p, nil
}

// publish publishes the readings of a batch.
func (p *publisher) publish(d *amqp.Delivery) (unpacked, error) {
	u := unpacked{tag: d.DeliveryTag}
	frame, err := batch.Parse(d.Body, batch.Limits{})
	if err != nil {
		return u, err
	}
	if err := p.unzip.Reset(bytes.NewReader(frame.Body)); err != nil {
		return u, fmt.Errorf("unpack: %w", err)
	}
	lines := bufio.NewScanner(&p.unzip)
	for lines.Scan() {
		line := bytes.Clone(lines.Bytes()) // amqp091 keeps it until it is written
		key, err := keyOfPayload(line)
		if err != nil {
			return u, err
		}
		c, err := p.channel.PublishWithDeferredConfirm(outExchange, key, false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, ContentType: "application/json", Body: line,
			MessageId: fmt.Sprintf("%s/%d/%d", frame.Device, frame.Sequence, len(u.confirms)),
		})
		if err != nil {
			return u, fmt.Errorf("publish: %w", err)
		}
		u.confirms = append(u.confirms, c)
	}
	if err := lines.Err(); err != nil {
		return u, fmt.Errorf("unpack: %w", err)
	}
	if len(u.confirms) != frame.Count {
		return u, fmt.Errorf("a batch of %d readings has %d lines", frame.Count, len(u.confirms))
	}
	return u, nil
}

// keyOfPayload makes the routing key of a reading.
func keyOfPayload(line []byte) (string, error) {
	var r struct {
		Site   string `json:"site"`
		Line   string `json:"line"`
		Device string `json:"device"`
		Tag    string `json:"tag"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return "", fmt.Errorf("read a line: %w", err)
	}
	return "telemetry." + r.Site + "." + r.Line + "." + r.Device + "." + r.Tag, nil
}
