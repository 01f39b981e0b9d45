package demo

import (
	"context"
	"io"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/generate"
)

// generated stands between the generate source and the feed: it tallies what
// the source hands out, and ends it on demand.
type generated struct {
	tally    *witness.Tally
	stopping context.Context // ends when the source is to end
}

// registry returns all stages of r, with the generate source replaced by one
// that is watched.
func (g generated) registry(r *feed.Registry) (*feed.Registry, error) {
	factories := []feed.Factory{
		feed.SourceFactory("generate", "The readings of a simulated factory, counted.", generate.DefaultConfig, g.source),
	}
	for _, k := range []feed.Kind{feed.KindSource, feed.KindTransform, feed.KindSink} {
		for _, f := range r.Factories(k) {
			if k != feed.KindSource || f.Name != "generate" {
				factories = append(factories, f)
			}
		}
	}
	return feed.NewRegistry(factories...)
}

func (g generated) source(c generate.Config, env feed.StageEnv) (*countedSource, error) {
	s, err := generate.NewSource(c, env)
	if err != nil {
		return nil, err
	}
	return &countedSource{Source: s, watch: g}, nil
}

// countedSource is a generate source that is watched.
type countedSource struct {
	*generate.Source
	watch generated

	mu sync.Mutex
	// back is how many readings were given back and will come again.
	back int
}

var _ feed.BatchSubscriber = (*countedSource)(nil)

// Subscribe is for plain subscribers, which the demo is not.
func (s *countedSource) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.Source.Subscribe(ctx, topic)
}

// SubscribeBatch implements feed.BatchSubscriber.
func (s *countedSource) SubscribeBatch(ctx context.Context, topic string) (feed.Subscription, error) {
	inner, err := s.Source.SubscribeBatch(ctx, topic)
	if err != nil {
		return nil, err
	}
	return &countedSubscription{Subscription: inner, source: s}, nil
}

// countedSubscription tallies what it hands out.
type countedSubscription struct {
	feed.Subscription
	source   *countedSource
	open     int // handed out and not settled
	giveBack sync.Once
}

// Receive implements feed.Subscription. Once stopped, it hands out only what
// was given back before, and then says io.EOF.
func (u *countedSubscription) Receive(ctx context.Context, dst []feed.Delivery, most int) ([]feed.Delivery, error) {
	before := len(dst)
	got, err := u.receive(ctx, dst, most)
	u.source.mu.Lock()
	defer u.source.mu.Unlock()
	for _, d := range got[before:] {
		u.source.watch.tally.AddJSON(d.Message.Payload)
		u.open++
		if d.Redelivered {
			u.source.back--
		}
	}
	return got, err
}

func (u *countedSubscription) receive(ctx context.Context, dst []feed.Delivery, most int) ([]feed.Delivery, error) {
	stopping := u.source.watch.stopping
	if stopping.Err() != nil {
		if most = min(most, u.again()); most == 0 {
			return dst, io.EOF
		}
		return u.Subscription.Receive(ctx, dst, most)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unwatch := context.AfterFunc(stopping, cancel)
	got, err := u.Subscription.Receive(ctx, dst, most)
	if !unwatch() && err != nil && len(got) == len(dst) {
		return dst, io.EOF // there was nothing that could come again
	}
	return got, err
}

func (u *countedSubscription) again() int {
	u.source.mu.Lock()
	defer u.source.mu.Unlock()
	return u.source.back
}

// Settle implements feed.Subscription.
func (u *countedSubscription) Settle(ctx context.Context, s []feed.Settlement) error {
	err := u.Subscription.Settle(ctx, s)
	if err == nil {
		u.source.mu.Lock()
		u.open -= len(s)
		u.source.mu.Unlock()
	}
	return err
}

// Close implements feed.Subscription.
func (u *countedSubscription) Close() error {
	err := u.Subscription.Close()
	u.giveBack.Do(func() {
		u.source.mu.Lock()
		u.source.back += u.open
		u.source.mu.Unlock()
	})
	return err
}

// Describe implements feed.Describer.
func (u *countedSubscription) Describe(tag uint64) (feed.Original, error) {
	return u.Subscription.(feed.Describer).Describe(tag)
}
