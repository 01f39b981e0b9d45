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

var errUnroutable = errors.New("nothing is bound for what the factory publishes")

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
		if errors.Is(err, errUnroutable) {
			return err
		}
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
	again := *pending
	var sent []unconfirmed
	defer func() {
		*pending = nil
		for _, u := range sent {
			*pending = append(*pending, u.Reading)
		}
		*pending = append(*pending, again...)
	}()
	for {
		var r Reading
		ok := len(again) > 0
		if ok {
			r, again = again[0], again[1:]
		} else {
			r, ok = next()
		}
		if ok {
			c, err := ch.PublishWithDeferredConfirmWithContext(ctx, f.Exchange, r.RoutingKey, true, false, amqp.Publishing{
				DeliveryMode: amqp.Persistent, ContentType: "application/json", Body: r.Payload,
			})
			sent = append(sent, unconfirmed{r, c})
			if err != nil {
				return err
			}
		}
		// Confirms are taken as they come, and waited for when too many are out.
		for len(sent) > 0 && (!ok || len(sent) >= window || isDone(sent[0].confirm)) {
			confirmed, err := sent[0].confirm.WaitContext(ctx)
			if err != nil {
				return err
			}
			if !confirmed {
				return errors.New("not confirmed")
			}
			f.Published.Add(sent[0].Device, sent[0].Seq)
			sent = sent[1:]
		}
		select {
		case r := <-returned:
			return fmt.Errorf("%w: exchange %q, routing key %q: %s", errUnroutable, r.Exchange, r.RoutingKey, r.ReplyText)
		default:
		}
		if !ok {
			return nil
		}
	}
}

// unconfirmed is a reading that the broker has not confirmed yet.
type unconfirmed struct {
	Reading
	confirm *amqp.DeferredConfirmation
}

func isDone(c *amqp.DeferredConfirmation) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
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
