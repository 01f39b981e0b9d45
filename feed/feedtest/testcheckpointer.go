package feedtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// CheckpointerUnderTest is a place of its own for sinks with checkpoints.
type CheckpointerUnderTest struct {
	// Open returns another sink on the same place, as another process would;
	// it cleans up with t.Cleanup.
	Open func(t *testing.T) message.Publisher
	// Payload returns a payload that the sink can write, different for each n.
	Payload func(n int) []byte
	// Stored returns the payloads of what stands in the place, in any order.
	Stored func(t testing.TB) []string
	// Refused returns a payload that can never be written. Nil when there is
	// none.
	Refused func() []byte
}

// TestCheckpointer checks that a sink keeps the contract of
// [feed.Checkpointer]. newPlace is called once for each part.
func TestCheckpointer(t *testing.T, newPlace func(t *testing.T) CheckpointerUnderTest) {
	parts := []struct {
		name string
		run  func(*testing.T, *checkpointerCase)
	}{
		{"begins with nothing committed", testCheckpointerBegins},
		{"goes on where it was", testCheckpointerResumes},
		{"commits ranges without messages", testCheckpointerEmpty},
		{"writes nothing of a range with a message that can never be written", testCheckpointerRefused},
		{"the newest writer wins", testCheckpointerFenced},
		{"a new generation begins with nothing committed", testCheckpointerRenews},
		{"refuses another stream", testCheckpointerStream},
		{"refuses a batch without a range", testCheckpointerRange},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			p.run(t, &checkpointerCase{CheckpointerUnderTest: newPlace(t), ctx: ctx})
		})
	}
}

type checkpointerCase struct {
	CheckpointerUnderTest
	ctx context.Context
}

// checkpointSink is a sink under test.
type checkpointSink interface {
	feed.BatchPublisher
	feed.Checkpointer
}

func (c *checkpointerCase) open(t *testing.T) checkpointSink {
	t.Helper()
	s, ok := c.Open(t).(checkpointSink)
	if !ok || !s.Checkpoints() {
		t.Fatalf("the sink is no feed.Checkpointer with a feed.BatchPublisher")
	}
	return s
}

func (c *checkpointerCase) resume(t *testing.T, s checkpointSink) feed.Resumption {
	t.Helper()
	r, err := s.Resume(c.ctx, "stream")
	if err != nil {
		t.Fatalf("resume: %v", err)
	}
	return r
}

// batch covers the offsets first to last with a message each.
func (c *checkpointerCase) batch(first, last int) *feed.Batch {
	b := feed.NewBatch()
	for i := first; i <= last; i++ {
		b.Messages = append(b.Messages, &message.Message{Payload: c.Payload(i), Metadata: message.Metadata{feed.MetaTopic: "t"}})
	}
	b.Range = &feed.Range{
		First: uint64(first), Deliveries: last - first + 1,
		Last: feed.Position{Offset: uint64(last), SHA256: sha256.Sum256(c.Payload(last))},
	}
	return b
}

func (c *checkpointerCase) publish(t *testing.T, s checkpointSink, b *feed.Batch) {
	t.Helper()
	if err := s.PublishBatch(c.ctx, b); err != nil {
		t.Fatalf("publish %d to %d: %v", b.Range.First, b.Range.Last.Offset, err)
	}
}

// expect compares what stands in the place with the payloads of the offsets.
func (c *checkpointerCase) expect(t *testing.T, offsets ...int) {
	t.Helper()
	var want []string
	for _, i := range offsets {
		want = append(want, string(c.Payload(i)))
	}
	got := c.Stored(t)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("stored are %q, want %q", got, want)
	}
}

func expectCommitted(t *testing.T, r feed.Resumption, generation uint64, last *feed.Position) {
	t.Helper()
	if r.Generation != generation || r.Pending != nil || (r.Committed == nil) != (last == nil) || last != nil && *r.Committed != *last {
		t.Fatalf("resumption %+v, want the generation %d and the position %+v", r, generation, last)
	}
}

func testCheckpointerBegins(t *testing.T, c *checkpointerCase) {
	s := c.open(t)
	expectCommitted(t, c.resume(t, s), 1, nil)
	expectCommitted(t, c.resume(t, s), 1, nil) // a second time, too
	c.expect(t)
}

func testCheckpointerResumes(t *testing.T, c *checkpointerCase) {
	first, s := c.batch(5, 9), c.open(t)
	c.resume(t, s)
	c.publish(t, s, first)
	expectCommitted(t, c.resume(t, s), 1, &first.Range.Last)
	second, other := c.batch(10, 12), c.open(t)
	expectCommitted(t, c.resume(t, other), 1, &first.Range.Last)
	c.publish(t, other, second)
	expectCommitted(t, c.resume(t, c.open(t)), 1, &second.Range.Last)
	c.expect(t, 5, 6, 7, 8, 9, 10, 11, 12)
}

func testCheckpointerEmpty(t *testing.T, c *checkpointerCase) {
	s := c.open(t)
	c.resume(t, s)
	b := c.batch(0, 4)
	b.Messages = nil
	c.publish(t, s, b)
	expectCommitted(t, c.resume(t, c.open(t)), 1, &b.Range.Last)
	c.expect(t)
}

func testCheckpointerRefused(t *testing.T, c *checkpointerCase) {
	if c.Refused == nil {
		return // it writes everything
	}
	s := c.open(t)
	c.resume(t, s)
	b := c.batch(0, 4)
	b.Messages[2].Payload = c.Refused()
	err := s.PublishBatch(c.ctx, b)
	var failed *feed.BatchError
	if !errors.As(err, &failed) || len(failed.Failures) != 1 || failed.Failures[0].Index != 2 || !feed.IsPermanent(failed.Failures[0].Err) {
		t.Fatalf("publish: %v, want a *feed.BatchError with message 2 alone, for ever", err)
	}
	c.expect(t)
	expectCommitted(t, c.resume(t, s), 1, nil)
	b.Messages = slices.Delete(b.Messages, 2, 3)
	c.publish(t, s, b)
	expectCommitted(t, c.resume(t, s), 1, &b.Range.Last)
	c.expect(t, 0, 1, 3, 4)
}

func testCheckpointerFenced(t *testing.T, c *checkpointerCase) {
	older := c.open(t)
	c.resume(t, older)
	first := c.batch(0, 4)
	c.publish(t, older, first)
	newer := c.open(t)
	expectCommitted(t, c.resume(t, newer), 1, &first.Range.Last)
	if err := older.PublishBatch(c.ctx, c.batch(5, 9)); !errors.Is(err, feed.ErrFenced) {
		t.Errorf("the older writer's publish: %v, want feed.ErrFenced", err)
	}
	if _, err := older.Resume(c.ctx, "stream"); !errors.Is(err, feed.ErrFenced) {
		t.Errorf("the older writer's resume: %v, want feed.ErrFenced", err)
	}
	if _, err := older.Renew(c.ctx); !errors.Is(err, feed.ErrFenced) {
		t.Errorf("the older writer's renew: %v, want feed.ErrFenced", err)
	}
	c.expect(t, 0, 1, 2, 3, 4)
	c.publish(t, newer, c.batch(5, 6))
	c.expect(t, 0, 1, 2, 3, 4, 5, 6)
}

func testCheckpointerRenews(t *testing.T, c *checkpointerCase) {
	s := c.open(t)
	c.resume(t, s)
	c.publish(t, s, c.batch(0, 4))
	r, err := s.Renew(c.ctx)
	if err != nil {
		t.Fatalf("renew: %v", err)
	}
	expectCommitted(t, r, 2, nil)
	again := c.batch(0, 4) // the same offsets are others in another generation
	c.publish(t, s, again)
	expectCommitted(t, c.resume(t, c.open(t)), 2, &again.Range.Last)
	c.expect(t, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4)
}

func testCheckpointerStream(t *testing.T, c *checkpointerCase) {
	c.resume(t, c.open(t))
	var config *feed.ConfigError
	if _, err := c.open(t).Resume(c.ctx, "another"); !errors.As(err, &config) {
		t.Errorf("resume with another stream: %v, want a *feed.ConfigError", err)
	}
}

func testCheckpointerRange(t *testing.T, c *checkpointerCase) {
	s := c.open(t)
	c.resume(t, s)
	b := c.batch(0, 0)
	b.Range = nil
	if err := s.PublishBatch(c.ctx, b); err == nil {
		t.Error("a batch without a range was taken")
	}
	c.expect(t)
}
