package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// telemetryExchange is where ingest publishes to.
const telemetryExchange = "bench"

// ingest stores the readings of a queue's batches in PostgreSQL and publishes
// them one by one, persistent and confirmed. Batches that are here at the same
// time share a transaction, and are acknowledged together when it is committed
// and all of their readings are confirmed.
func ingest(ctx context.Context, j job) error {
	// What was begun is finished: the connection outlives ctx.
	table, err := openTable(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer table.close()
	out, err := openPublisher(telemetryExchange)
	if err != nil {
		return err
	}
	defer out.conn.Close() //nolint:errcheck // everything is confirmed, or will be delivered again
	source, err := consume(ctx, j.queue, j.prefetch)
	if err != nil {
		return err
	}
	defer source.conn.Close() //nolint:errcheck // everything is acknowledged, or will be delivered again

	g := group{out: out}
	for d := range source.deliveries {
		if err := g.add(&d); err != nil {
			return err
		}
		if err := g.fill(source.deliveries, j.batch); err != nil {
			return err
		}
		if err := table.store(context.WithoutCancel(ctx), g.rows); err != nil {
			return err
		}
		if err := out.confirmed(g.confirms); err != nil {
			return err
		}
		if err := source.channel.Ack(g.tag, true); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		g.rows, g.confirms = g.rows[:0], g.confirms[:0]
	}
	return source.ended(ctx)
}

// group is the readings of some batches.
type group struct {
	out      *publisher
	unzip    unpacker
	tag      uint64 // of the last batch
	rows     []row
	confirms []*amqp.DeferredConfirmation
}

// fill adds the batches that are here, until there are enough readings.
func (g *group) fill(deliveries <-chan amqp.Delivery, readings int) error {
	for len(g.rows) < readings {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return nil
			}
			if err := g.add(&d); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// add publishes the readings of a batch, and keeps them to be stored.
func (g *group) add(d *amqp.Delivery) error {
	g.tag = d.DeliveryTag
	return g.unzip.each(d, func(line []byte, id string) error {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("read a line: %w", err)
		}
		c, err := g.out.publish(line, r.key(), id)
		if err != nil {
			return err
		}
		g.rows, g.confirms = append(g.rows, r), append(g.confirms, c)
		return nil
	})
}

// confirmed waits until all of it is confirmed.
func (p *publisher) confirmed(all []*amqp.DeferredConfirmation) error {
	for _, c := range all {
		select {
		case <-c.Done():
			if !c.Acked() {
				return errors.New("RabbitMQ refused a message")
			}
		case err := <-p.closed:
			return fmt.Errorf("RabbitMQ has closed the channel: %w", err)
		}
	}
	return nil
}
