package main

import (
	"context"
	"fmt"

	"github.com/kraft-edge/datafeed/internal/witness"
)

// mqttDestination is Mosquitto. A subscriber takes CPU time that contenders
// need, so that in most runs its own count of publishes must do.
type mqttDestination struct {
	address    string
	received   *brokerCount        // publishes
	expected   int                 // of received, since the start
	subscriber *witness.Subscriber // of this run; nil: none
	arrived    *witness.Tally
}

func newMQTTDestination(ctx context.Context, address string) (*mqttDestination, error) {
	r, err := followCount(ctx, address, "bench-received", receivedTopic)
	if err != nil {
		return nil, err
	}
	return &mqttDestination{address: address, received: r}, nil
}

func (d *mqttDestination) env() []string { return nil } // all contenders know it

func (d *mqttDestination) prepare(ctx context.Context, witnessed bool) error {
	if !witnessed {
		return nil
	}
	d.arrived = witness.NewTally()
	var err error
	d.subscriber, err = witness.Subscribe(ctx, "mqtt://"+d.address, "kraft/#", d.arrived)
	return err
}

func (d *mqttDestination) check(ctx context.Context, p *published) error {
	if err := d.count(ctx, p.messages); err != nil {
		return err
	}
	if d.subscriber == nil {
		return nil
	}
	awaitTally(ctx, d.arrived, p.messages)
	if err := d.unsubscribe(); err != nil {
		return fmt.Errorf("subscriber: %w", err)
	}
	return p.compare(d.arrived)
}

// count fails unless Mosquitto has received n publishes more, and not others.
func (d *mqttDestination) count(ctx context.Context, n int) error {
	d.expected += n
	return d.received.await(ctx, d.expected)
}

func (d *mqttDestination) unsubscribe() error {
	s := d.subscriber
	d.subscriber = nil
	if s == nil {
		return nil
	}
	return s.Close()
}

func (d *mqttDestination) close() error {
	d.received.close()
	return d.unsubscribe()
}
