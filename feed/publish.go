package feed

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// publishBatch calls a sink and turns a panic into an error: the outcome of
// the batch is then unknown, like that of any other untyped error.
func publishBatch(ctx context.Context, sink message.Publisher, b *Batch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Recovered("sink", r)
		}
	}()
	p, ok := sink.(BatchPublisher)
	if !ok {
		return fmt.Errorf("%T is a plain Publisher: declare it with feed.DurablePublisher", sink)
	}
	return p.PublishBatch(ctx, b)
}
