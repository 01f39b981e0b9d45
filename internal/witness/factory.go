package witness

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Reading is a reading on its way to a broker.
type Reading struct {
	Device     string
	Seq        uint64
	RoutingKey string
	Payload    []byte
}

// Factory publishes readings to RabbitMQ as a careful gateway does:
// persistent, mandatory, with publisher confirms, and again until confirmed.
type Factory struct {
	// URL and Exchange say where to; the exchange (or, when it is empty, the
	// queues) must exist.
	URL, Exchange string
	// Rate is in readings a second; 0 is as fast as they are confirmed.
	Rate int
	// Published records what was confirmed.
	Published *Tally
	// Republished counts readings that were sent again because their confirm
	// never came: each may stand in the queue twice.
	Republished uint64
}

// window is how many readings wait for their confirm at a time.
const window = 1000

// Publish publishes what next returns until it reports false, or ctx ends. It
// reconnects when the connection breaks.
func (f *Factory) Publish(ctx context.Context, next func() (Reading, bool)) error {
	begin, sent := time.Now(), 0
	var pending []Reading
	more := true
	for ctx.Err() == nil && (more || len(pending) > 0) {
		err := f.session(ctx, &pending, func() (Reading, bool) {
			if f.Rate > 0 {
				due := begin.Add(time.Duration(sent) * time.Second / time.Duration(f.Rate))
				if !wait(ctx, time.Until(due)) {
					return Reading{}, false
				}
			}
			sent++
			r, ok := next()
			more = ok
			return r, ok
		})
		if err != nil && ctx.Err() == nil {
			f.Republished += uint64(len(pending))
			wait(ctx, 200*time.Millisecond)
		}
	}
	return ctx.Err()
}

// session publishes over one connection. What is not confirmed when it ends
// stays in pending.
func (f *Factory) session(ctx context.Context, pending *[]Reading, next func() (Reading, bool)) error {
	conn, err := amqp.DialConfig(f.URL, amqp.Config{Heartbeat: 5 * time.Second, Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // what was confirmed is confirmed
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	returned := ch.NotifyReturn(make(chan amqp.Return, 2*window))
	for {
		for len(*pending) < window {
			r, ok := next()
			if !ok {
				break
			}
			*pending = append(*pending, r)
			if f.Rate > 0 && len(*pending) >= max(1, f.Rate/100) {
				break // confirm in small steps, so that they arrive evenly
			}
		}
		if len(*pending) == 0 {
			return nil
		}
		confirms := make([]*amqp.DeferredConfirmation, 0, len(*pending))
		for _, r := range *pending {
			c, err := ch.PublishWithDeferredConfirmWithContext(ctx, f.Exchange, r.RoutingKey, true, false, amqp.Publishing{
				DeliveryMode: amqp.Persistent, ContentType: "application/json", Body: r.Payload,
			})
			if err != nil {
				return err
			}
			confirms = append(confirms, c)
		}
		var unconfirmed []Reading
		for i, c := range confirms {
			ok, err := c.WaitContext(ctx)
			if err != nil || !ok {
				unconfirmed = append(unconfirmed, (*pending)[i])
				continue
			}
			f.Published.Add((*pending)[i].Device, (*pending)[i].Seq)
		}
		*pending = unconfirmed
		select {
		case r := <-returned:
			return fmt.Errorf("nothing is bound to %q for %q: %s", r.Exchange, r.RoutingKey, r.ReplyText)
		default:
		}
		if len(unconfirmed) > 0 {
			return errors.New("not confirmed")
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
