package feed_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// endlessSource hands out the same message n times and takes every settlement.
type endlessSource struct {
	left int
	tag  uint64
	msg  *message.Message
}

func (s *endlessSource) SubscribeBatch(context.Context, string) (feed.Subscription, error) {
	return s, nil
}

func (s *endlessSource) Receive(_ context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	n := min(s.left, limit)
	if n == 0 {
		return dst, io.EOF
	}
	s.left -= n
	for range n {
		s.tag++
		dst = append(dst, feed.Delivery{Message: s.msg, Tag: s.tag})
	}
	return dst, nil
}

func (s *endlessSource) Settle(context.Context, []feed.Settlement) error { return nil }
func (s *endlessSource) Describe(uint64) (feed.Original, error) {
	return feed.Original{Payload: s.msg.Payload}, nil
}
func (s *endlessSource) Close() error { return nil }
func (s *endlessSource) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	return nil, nil
}

// nullSink takes everything.
type nullSink struct{}

func (nullSink) PublishBatch(context.Context, *feed.Batch) error { return nil }
func (nullSink) Publish(string, ...*message.Message) error       { return nil }
func (nullSink) Close() error                                    { return nil }
func pass(m *message.Message) ([]*message.Message, error)        { return []*message.Message{m}, nil }
func discardLogger() *slog.Logger                                { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
func runRoute(tb testing.TB, n int, transforms ...feed.Transform) {
	tb.Helper()
	m := &message.Message{Payload: make([]byte, 200), Metadata: message.Metadata{feed.MetaTopic: "a/b"}}
	f, err := feed.New(feed.Options{Logger: discardLogger()}, feed.Route{Name: "r", Source: &endlessSource{left: n, msg: m}, Sink: nullSink{}, Transforms: transforms})
	if err != nil {
		tb.Fatal(err)
	}
	if err := f.Run(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if s := f.Status().Routes[0]; s.Deliveries.Delivered != uint64(n) || s.Deliveries.Check() != nil {
		tb.Fatalf("status %+v", s)
	}
}

// The route itself, between stages that do nothing.
func BenchmarkRoute(b *testing.B) {
	b.ReportAllocs()
	runRoute(b, b.N)
}

func BenchmarkRouteWithTransform(b *testing.B) {
	b.ReportAllocs()
	runRoute(b, b.N, feed.Transform{Name: "pass", Func: pass})
}

// What a message costs in allocations is part of the promise to small nodes.
func TestRouteAllocatesLittle(t *testing.T) {
	const n = 100_000
	for name, tt := range map[string]struct {
		most       float64
		transforms []feed.Transform
	}{
		"no transform":  {0.05, nil},
		"one transform": {1.05, []feed.Transform{{Name: "pass", Func: pass}}}, // the slice that it returns
	} {
		if got := testing.AllocsPerRun(1, func() { runRoute(t, n, tt.transforms...) }) / n; got > tt.most {
			t.Errorf("%s: %.3f allocations a message, want at most %.2f", name, got, tt.most)
		}
	}
}
