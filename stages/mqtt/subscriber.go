package mqtt

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Subscribe implements [message.Subscriber] for use without a feed; topic is as
// in SubscribeBatch. Messages come one at a time and in order: the next one
// comes after the Ack of the one before, and one with a Nack comes again, a
// little later each time. The connection is restored for ever after the first
// success; the channel closes when ctx ends or the source is closed.
func (s *Source) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.plain.Subscribe(ctx,
		func(ctx context.Context) (feed.Subscription, error) { return s.SubscribeBatch(ctx, topic) },
		func(err error) { s.log.WarnContext(ctx, "subscription lost", "topic", topic, "error", err) })
}
