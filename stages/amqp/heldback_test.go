//go:build !race

package amqp

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// afterPublish holds messages back until a moment after their Publish has
// returned. Watermill's TestReconnect notes what it has published in another
// goroutine, after Publish, and compares as soon as the last message has come:
// a subscriber that is faster than that note fails it.
type afterPublish struct {
	mu       sync.Mutex
	returned map[string]chan time.Time // by UUID; holds the time once known
}

// noteDelay is far more than the suite takes for its note.
const noteDelay = 100 * time.Millisecond

func (a *afterPublish) of(uuid string) chan time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.returned[uuid] == nil {
		a.returned[uuid] = make(chan time.Time, 1)
	}
	return a.returned[uuid]
}

type notingPublisher struct {
	message.Publisher
	after *afterPublish
}

func (p notingPublisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.Publisher.Publish(topic, messages...); err != nil {
		return err
	}
	for _, m := range messages {
		select {
		case p.after.of(m.UUID) <- time.Now():
		default: // published before
		}
	}
	return nil
}

type patientSubscriber struct {
	*Source
	after *afterPublish
}

func (s patientSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := s.Source.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for m := range in {
			returned := s.after.of(m.UUID)
			at := <-returned
			returned <- at // for the next time that it comes
			<-time.After(time.Until(at.Add(noteDelay)))
			select {
			case out <- m:
			case <-s.ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
