package maker

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Subscribe hands out one message at a time, and the next after its Ack. A Nack
// hands the same message out again. The channel is closed when ctx ends, the
// source is closed, or the last message was acknowledged; what was not
// acknowledged goes back.
func (s *Source) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.plain.Subscribe(ctx, func(ctx context.Context) (feed.Subscription, error) { return s.SubscribeBatch(ctx, topic) }, nil)
}
