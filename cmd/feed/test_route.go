package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	watermill "github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// outcome is what became of a message of a test.
type outcome struct {
	kind    outcomeKind
	message *watermill.Message // that the sink got
	reason  string             // why it got none
}

type outcomeKind string

const (
	gotMessage     outcomeKind = "message"
	gotFiltered    outcomeKind = "filtered"
	gotQuarantined outcomeKind = "quarantined"
	gotRetried     outcomeKind = "retried"
)

// runTest runs the transforms of a route over the messages of a test in a feed
// of their own. The messages come one at a time, so that what becomes of them is
// in their order.
func runTest(ctx context.Context, cfg *config.Config, t *config.Test) ([]outcome, error) {
	quiet := slog.New(slog.DiscardHandler)
	transforms, err := cfg.Transforms(cfg.RouteOf(t), quiet)
	if err != nil {
		return nil, err
	}
	for i := range transforms {
		transforms[i] = onceOnly(ctx, transforms[i])
	}
	r := &testRoute{test: t, counted: map[string]uint64{}}
	r.feed, err = feed.New(feed.Options{Logger: quiet, Quarantine: testQuarantine{r}},
		feed.Route{Name: "test", Source: r, Transforms: transforms, Sink: testSink{r}})
	if err != nil {
		return nil, err
	}
	if err := r.feed.Run(ctx); err != nil {
		return nil, err
	}
	return r.outcomes, ctx.Err()
}

// retriedMark begins the reason for which the test's route drops a message that a
// feed would try again. No transform gives a reason that begins so.
const retriedMark = "\x00"

// onceOnly ends a message that fails transiently: a test does not wait for that to
// pass, nor for a transform that could not work now.
func onceOnly(ctx context.Context, t feed.Transform) feed.Transform {
	try := t.Try
	t.Batch, t.Probe = nil, nil
	t.Func = func(m *watermill.Message) ([]*watermill.Message, error) {
		out, err := try(ctx, m)
		if !feed.IsTransient(err) {
			return out, err
		}
		return nil, feed.Filter(fmt.Sprintf("%stransform %s: %v", retriedMark, t.Name, err))
	}
	return t
}

// testRoute is the source of a test, and keeps what became of its messages. The
// route calls it from one goroutine at a time.
type testRoute struct {
	test     *config.Test
	next     int
	feed     *feed.Feed
	counted  map[string]uint64 // filtered so far, by reason
	outcomes []outcome
}

// Subscribe is here to make it a Subscriber; routes subscribe to batches.
func (*testRoute) Subscribe(context.Context, string) (<-chan *watermill.Message, error) {
	return nil, errors.New("the messages of a test come in batches")
}

func (r *testRoute) SubscribeBatch(context.Context, string) (feed.Subscription, error) { return r, nil }

func (r *testRoute) Receive(_ context.Context, dst []feed.Delivery, _ int) ([]feed.Delivery, error) {
	if r.next == len(r.test.Given) {
		return dst, io.EOF
	}
	m := r.test.Given[r.next].Message()
	r.next++
	return append(dst, feed.Delivery{Message: m, Tag: uint64(r.next)}), nil
}

// Settle sees in the account of the route what was filtered, or would be tried again.
func (r *testRoute) Settle(context.Context, []feed.Settlement) error {
	filtered := r.feed.Status().Routes[0].Produced.Filtered
	for _, reason := range slices.Sorted(maps.Keys(filtered)) {
		for ; r.counted[reason] < filtered[reason]; r.counted[reason]++ {
			o := outcome{kind: gotFiltered, reason: reason}
			if after, retried := strings.CutPrefix(reason, retriedMark); retried {
				o = outcome{kind: gotRetried, reason: after}
			}
			r.outcomes = append(r.outcomes, o)
		}
	}
	return nil
}

func (*testRoute) Close() error { return nil }

// testSink takes everything.
type testSink struct{ r *testRoute }

func (s testSink) PublishBatch(_ context.Context, b *feed.Batch) error {
	for _, m := range b.Messages {
		s.r.outcomes = append(s.r.outcomes, outcome{kind: gotMessage, message: m})
	}
	return nil
}

func (s testSink) Publish(topic string, msgs ...*watermill.Message) error {
	for _, m := range msgs {
		feed.SetTopic(m, topic)
	}
	return s.PublishBatch(context.Background(), feed.NewBatch(msgs...))
}

func (testSink) Close() error { return nil }

// testQuarantine takes everything, too.
type testQuarantine struct{ r *testRoute }

func (q testQuarantine) Put(_ context.Context, items []feed.QuarantineItem) error {
	for _, it := range items {
		q.r.outcomes = append(q.r.outcomes, outcome{kind: gotQuarantined, reason: it.Reason})
	}
	return nil
}
