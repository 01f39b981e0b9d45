package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// DurablePublisher declares that p's Publish returns nil only when its
// messages are durable downstream, and makes it a [BatchPublisher]: the route
// hands it runs of messages of equal topic. Do not declare a publisher durable
// that returns before that, such as an in-process channel or an AMQP publisher
// without confirms.
func DurablePublisher(p message.Publisher) message.Publisher {
	return &durablePublisher{p}
}

type durablePublisher struct{ message.Publisher }

// PublishBatch publishes runs of equal topic, in order, and stops at the first
// that fails: a later run must not overtake an earlier one.
func (d *durablePublisher) PublishBatch(ctx context.Context, b *Batch) error {
	for start := 0; start < len(b.Messages); {
		topic, end := Topic(b.Messages[start]), start+1
		for end < len(b.Messages) && Topic(b.Messages[end]) == topic {
			end++
		}
		err := ctx.Err()
		if err == nil {
			err = d.Publish(topic, b.Messages[start:end]...)
		}
		if err != nil {
			failed := &BatchError{}
			for i := start; i < len(b.Messages); i++ {
				failed.Add(i, err)
			}
			return failed
		}
		start = end
	}
	return nil
}

// Probe asks the publisher, where it can tell.
func (d *durablePublisher) Probe(ctx context.Context) error {
	if p, ok := d.Publisher.(Prober); ok {
		return p.Probe(ctx)
	}
	return nil
}

// subscribePlain makes a Subscription of a plain Subscriber.
func subscribePlain(ctx context.Context, s message.Subscriber, topic string) (Subscription, error) {
	stopping := ctx
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	// Until it has subscribed it may block; from then on the route decides.
	release := context.AfterFunc(stopping, cancel)
	ch, err := s.Subscribe(ctx, topic)
	if !release() && err == nil {
		err = stopping.Err()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return &plainSubscription{ch: ch, cancel: cancel, topic: topic, unsettled: map[uint64]plainDelivery{}}, nil
}

// plainSubscription hands out what a plain Subscriber sends. Most Watermill
// subscribers wait for the ack of one message before they send the next, so
// its batches are often of one message.
type plainSubscription struct {
	ch     <-chan *message.Message
	cancel context.CancelFunc
	topic  string

	mu        sync.Mutex
	next      uint64
	unsettled map[uint64]plainDelivery
	closed    bool
}

type plainDelivery struct {
	msg      *message.Message
	payload  message.Payload
	metadata message.Metadata // as it came
}

// errChannelClosed ends a subscription, not the route: a plain Subscriber does
// not say whether it has no more or lost its connection.
var errChannelClosed = errors.New("the subscriber closed its channel")

func (p *plainSubscription) Receive(ctx context.Context, dst []Delivery, max int) ([]Delivery, error) {
	select {
	case m, ok := <-p.ch:
		if !ok {
			return dst, errChannelClosed
		}
		dst = append(dst, p.take(m))
	case <-ctx.Done():
		return dst, ctx.Err()
	}
	for n := 1; n < max; n++ {
		select {
		case m, ok := <-p.ch:
			if !ok {
				return dst, nil // the next Receive says so
			}
			dst = append(dst, p.take(m))
		default:
			return dst, nil
		}
	}
	return dst, nil
}

func (p *plainSubscription) take(m *message.Message) Delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	metadata := make(message.Metadata, len(m.Metadata))
	for k, v := range m.Metadata {
		metadata[k] = v
	}
	p.unsettled[p.next] = plainDelivery{m, m.Payload, metadata}
	return Delivery{Message: m, Tag: p.next}
}

func (p *plainSubscription) Settle(_ context.Context, s []Settlement) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range s {
		d, ok := p.unsettled[one.Tag]
		if !ok {
			return fmt.Errorf("settle: delivery %d is not unsettled", one.Tag)
		}
		delete(p.unsettled, one.Tag)
		if !d.msg.Ack() {
			return fmt.Errorf("settle: message %s was nacked by somebody else", d.msg.UUID)
		}
	}
	return nil
}

func (p *plainSubscription) Describe(tag uint64) (Original, error) {
	p.mu.Lock()
	d, ok := p.unsettled[tag]
	p.mu.Unlock()
	if !ok {
		return Original{}, fmt.Errorf("describe: delivery %d is not unsettled", tag)
	}
	return describeMessage(d.msg.UUID, d.payload, d.metadata, "topic "+p.topic)
}

// Close nacks what is unsettled, ends the subscription, and nacks what the
// subscriber still sends meanwhile, so that it can end.
func (p *plainSubscription) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	for tag := uint64(1); tag <= p.next; tag++ {
		if d, ok := p.unsettled[tag]; ok {
			d.msg.Nack()
			delete(p.unsettled, tag)
		}
	}
	p.cancel()
	for m := range p.ch {
		m.Nack()
	}
	return nil
}

// describeMessage is the Original of a message that is known by nothing but
// its Watermill form: its UUID and its metadata.
func describeMessage(uuid string, payload message.Payload, metadata message.Metadata, origin string) (Original, error) {
	properties, err := json.Marshal(watermillProperties{uuid, metadata})
	if err != nil {
		return Original{}, fmt.Errorf("describe: %w", err)
	}
	return Original{Payload: payload, Format: FormatWatermill, Properties: properties, Origin: origin}, nil
}
