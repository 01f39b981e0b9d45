package remote_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
)

// shelf is the place behind a sink.
type shelf struct {
	mu       sync.Mutex
	stored   []feedtest.Stored
	received []time.Time
	down     bool
	wait     bool // writes wait for the end of their context
	waiting  chan struct{}
	closed   int
}

type shelfConfig struct{}

func (*shelfConfig) Validate() error { return nil }

// factory makes sinks that write to the shelf.
func (s *shelf) factory() feed.Factory {
	return feed.SinkFactory("shelf", "stores", func() shelfConfig { return shelfConfig{} },
		func(shelfConfig, feed.StageEnv) (*shelfSink, error) { return &shelfSink{s}, nil })
}

type shelfSink struct{ *shelf }

func (s *shelfSink) Publish(topic string, msgs ...*message.Message) error { panic("not called") }

func (s *shelfSink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait {
		close(s.waiting)
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		s.wait = false
		return fmt.Errorf("waited: %w", ctx.Err())
	}
	if s.down {
		return errors.New("the shelf cannot be reached")
	}
	s.received = append(s.received, b.Received)
	failed := &feed.BatchError{}
	for i, m := range b.Messages {
		if string(m.Payload) == "refuse" {
			failed.Add(i, feed.Permanent(errors.New("refused")))
			continue
		}
		s.stored = append(s.stored, feedtest.Stored{Topic: feed.Topic(m), Payload: slices.Clone(m.Payload), Metadata: maps.Clone(m.Metadata)})
	}
	return failed.ErrorOrNil()
}

func (s *shelfSink) Probe(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errors.New("the shelf cannot be reached")
	}
	return nil
}

func (s *shelfSink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func TestSinkConforms(t *testing.T) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		s := &shelf{}
		plugin, process := connect(t, s.factory())
		t.Cleanup(func() {
			if reasons := process.Reasons(); len(reasons) > 0 {
				t.Errorf("the plugin failed because of %v", reasons)
			}
		})
		set := func(down bool) func(testing.TB) {
			return func(testing.TB) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.down = down
			}
		}
		return feedtest.SinkUnderTest{
			Sink:  plugin.Sink("shelf", []byte("{}"), env, true),
			Topic: func(n int) string { return fmt.Sprintf("topic/%d", n) },
			Stored: func(testing.TB, int) []feedtest.Stored {
				s.mu.Lock()
				defer s.mu.Unlock()
				return slices.Clone(s.stored)
			},
			KeepsMetadata: true,
			Down:          set(true), Up: set(false),
			Refused: func() *message.Message { return messages("refuse")[0] },
		}
	})
}

func TestSinkIsCancelledAndStaysOpen(t *testing.T) {
	s := &shelf{wait: true, waiting: make(chan struct{})}
	plugin, process := connect(t, s.factory())
	sink := plugin.Sink("shelf", []byte("{}"), env, true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-s.waiting
		cancel()
	}()
	err := sink.PublishBatch(ctx, feed.NewBatch(messages("a")...))
	if err == nil || !strings.Contains(err.Error(), "waited: context canceled") {
		t.Errorf("a publish that was cancelled returned %v", err)
	}
	b := feed.NewBatch(messages("b", "c")...)
	if err := sink.PublishBatch(t.Context(), b); err != nil {
		t.Error(err)
	}
	if len(s.received) != 1 || !s.received[0].Equal(b.Received) {
		t.Errorf("received %v, want %v", s.received, b.Received)
	}
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
	if s.closed != 1 || process.Starts() != 1 || len(process.Reasons()) > 0 {
		t.Errorf("closed %d times, started %d times, %v", s.closed, process.Starts(), process.Reasons())
	}
}

// A sink that waits longer than it may is no hung process.
func TestSinkThatWaitsIsAskedAgain(t *testing.T) {
	s := &shelf{wait: true, waiting: make(chan struct{})}
	_, process := connect(t, s.factory())
	sink := remote.New("acme", process, remote.Limits{Timeout: 2 * time.Second}).Sink("shelf", []byte("{}"), env, true)
	err := sink.PublishBatch(t.Context(), feed.NewBatch(messages("a")...))
	if err == nil || err.Error() != "sink shelf of plugin acme was not done within 2s: waited: context canceled" {
		t.Errorf("it returned %v", err)
	}
	if feed.IsPermanent(err) || len(process.Reasons()) > 0 {
		t.Errorf("permanent %v, failed %v", feed.IsPermanent(err), process.Reasons())
	}
}
