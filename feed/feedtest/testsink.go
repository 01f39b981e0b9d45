package feedtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Stored is a message as it stands behind a sink.
type Stored struct {
	Topic    string
	Payload  []byte
	Metadata map[string]string // what of it the sink keeps
}

// SinkUnderTest is a sink on an empty place of its own, and the means to look
// behind it.
type SinkUnderTest struct {
	Sink message.Publisher
	// Topics returns a topic that the sink can write to, by number.
	Topic func(n int) string
	// Payload returns a payload that the sink can write, of about the given
	// size and different for each n. Nil: any bytes will do.
	Payload func(n, size int) []byte
	// Stored returns what stands behind the sink, in order, once there are at
	// least n messages or a bound of its own has passed.
	Stored func(t testing.TB, n int) []Stored
	// Unordered says that what stands behind the sink has no order.
	Unordered bool
	// KeepsMetadata says that headers arrive.
	KeepsMetadata bool
	// Down makes the place behind the sink unreachable, Up reachable again.
	// Nil when that cannot be done.
	Down, Up func(t testing.TB)
	// Refused returns a message that can never be written. Nil when there is
	// none.
	Refused func() *message.Message
}

// TestSink checks that a sink keeps the contract of [feed.BatchPublisher].
// newSink is called once for each part and cleans up with t.Cleanup.
func TestSink(t *testing.T, newSink func(t *testing.T) SinkUnderTest) {
	parts := []struct {
		name string
		run  func(*testing.T, *sinkCase)
	}{
		{"writes whole batches in order", testSinkBatches},
		{"writes payloads of all kinds", testSinkPayloads},
		{"retains nothing", testSinkRetains},
		{"returns when its context ends", testSinkContext},
		{"reports what is never written, and writes the rest", testSinkRefused},
		{"reports an unreachable place, and works again", testSinkDown},
		{"close is idempotent and ends it", testSinkClose},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
			defer cancel()
			c := &sinkCase{SinkUnderTest: newSink(t), ctx: ctx}
			sink, ok := c.Sink.(feed.BatchPublisher)
			if !ok {
				t.Fatalf("%T is no feed.BatchPublisher", c.Sink)
			}
			c.sink = sink
			t.Cleanup(func() {
				if err := c.Sink.Close(); err != nil {
					t.Errorf("close sink: %v", err)
				}
			})
			p.run(t, c)
		})
	}
}

type sinkCase struct {
	SinkUnderTest
	ctx  context.Context
	sink feed.BatchPublisher
	next int
}

// message returns the next message.
func (c *sinkCase) message(size int) *message.Message {
	c.next++
	payload := fmt.Appendf(nil, "%06d ", c.next)
	if pad := size - len(payload); pad > 0 {
		payload = append(payload, bytes.Repeat([]byte{'x'}, pad)...)
	}
	if c.Payload != nil {
		payload = c.Payload(c.next, size)
	}
	return &message.Message{
		UUID:    fmt.Sprintf("id-%d", c.next),
		Payload: payload,
		Metadata: message.Metadata{
			feed.MetaTopic:       c.Topic(c.next % 3),
			feed.MetaContentType: "application/json",
			feed.MetaTime:        "2026-01-02T03:04:05Z",
			"x-plant":            "north",
		},
	}
}

func (c *sinkCase) messages(n, size int) []*message.Message {
	ms := make([]*message.Message, n)
	for i := range ms {
		ms[i] = c.message(size)
	}
	return ms
}

func (c *sinkCase) publish(t *testing.T, ms ...*message.Message) {
	t.Helper()
	if err := c.sink.PublishBatch(c.ctx, feed.NewBatch(ms...)); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

// expect compares what stands behind the sink with what was published.
func (c *sinkCase) expect(t *testing.T, want []*message.Message) {
	t.Helper()
	got := c.Stored(t, len(want))
	if len(got) != len(want) {
		t.Fatalf("%d messages stand behind the sink, want %d", len(got), len(want))
	}
	if c.Unordered {
		byPayload := map[string]Stored{}
		for _, s := range got {
			byPayload[string(s.Payload)] = s
		}
		for i, m := range want {
			s, ok := byPayload[string(m.Payload)]
			if !ok {
				t.Fatalf("message %d (%.40q) is missing", i, m.Payload)
			}
			c.expectOne(t, i, s, m)
		}
		return
	}
	for i, m := range want {
		c.expectOne(t, i, got[i], m)
	}
}

func (c *sinkCase) expectOne(t *testing.T, i int, got Stored, want *message.Message) {
	t.Helper()
	if !bytes.Equal(got.Payload, want.Payload) {
		t.Fatalf("message %d is %.40q, want %.40q", i, got.Payload, want.Payload)
	}
	if topic := feed.Topic(want); got.Topic != topic {
		t.Fatalf("message %d has the topic %q, want %q", i, got.Topic, topic)
	}
	if c.KeepsMetadata && got.Metadata["x-plant"] != "north" {
		t.Fatalf("message %d lost its header: %v", i, got.Metadata)
	}
}

func testSinkBatches(t *testing.T, c *sinkCase) {
	var all []*message.Message
	for _, n := range []int{1, 2, 500, 1, 1000} {
		ms := c.messages(n, 200)
		c.publish(t, ms...)
		all = append(all, ms...)
	}
	c.expect(t, all)
}

func testSinkPayloads(t *testing.T, c *sinkCase) {
	var ms []*message.Message
	for _, size := range []int{0, 1, 100, 4 << 10, 64 << 10, 200 << 10} {
		ms = append(ms, c.message(size))
	}
	if c.Payload == nil {
		binary := c.message(0)
		binary.Payload = append([]byte{0, 0xff, '\n', '"'}, binary.Payload...)
		empty := c.message(0)
		empty.Payload = nil
		ms = append(ms, binary, empty)
	}
	c.publish(t, ms...)
	c.expect(t, ms)
}

func testSinkRetains(t *testing.T, c *sinkCase) {
	first := c.messages(10, 100)
	want := make([]*message.Message, len(first))
	for i, m := range first {
		want[i] = &message.Message{Payload: append([]byte(nil), m.Payload...), Metadata: message.Metadata{feed.MetaTopic: feed.Topic(m)}}
	}
	b := feed.NewBatch(first...)
	if err := c.sink.PublishBatch(c.ctx, b); err != nil {
		t.Fatalf("publish: %v", err)
	}
	for _, m := range first { // the caller may reuse everything now
		copy(m.Payload, strings.Repeat("!", len(m.Payload)))
		m.Metadata[feed.MetaTopic] = "gone"
	}
	clear(b.Messages)
	c.expect(t, want)
}

func testSinkContext(t *testing.T, c *sinkCase) {
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	start := time.Now()
	if err := c.sink.PublishBatch(ctx, feed.NewBatch(c.messages(10, 100)...)); err == nil {
		t.Error("publish with an ended context reports success")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("publish with an ended context took %v", d)
	}
	// And it still works. What the refused call wrote is unknown.
	c.publish(t, c.messages(1, 100)...)
}

func testSinkRefused(t *testing.T, c *sinkCase) {
	if c.Refused == nil {
		return // it writes everything
	}
	before, after := c.messages(3, 100), c.messages(3, 100)
	batch := append(append(append([]*message.Message(nil), before...), c.Refused()), after...)
	err := c.sink.PublishBatch(c.ctx, feed.NewBatch(batch...))
	var failed *feed.BatchError
	if !errors.As(err, &failed) {
		t.Fatalf("publish: %v, want a *feed.BatchError", err)
	}
	var rest []*message.Message
	refused := false
	next := 0
	for i, m := range batch {
		if next < len(failed.Failures) && failed.Failures[next].Index == i {
			f := failed.Failures[next]
			next++
			if i == len(before) {
				refused = feed.IsPermanent(f.Err) || feed.IsConnectionFatal(f.Err)
				continue
			}
			if feed.IsPermanent(f.Err) {
				t.Errorf("message %d failed for ever with %v, but nothing is wrong with it", i, f.Err)
			}
			rest = append(rest, m)
		}
	}
	if !refused {
		t.Fatalf("the refused message was not reported as permanent: %v", failed)
	}
	if len(rest) > 0 {
		c.publish(t, rest...)
	}
	c.expect(t, append(before, after...))
}

func testSinkDown(t *testing.T, c *sinkCase) {
	if c.Down == nil {
		return // nothing to take down
	}
	first := c.messages(5, 100)
	c.publish(t, first...)
	c.expect(t, first)
	c.Down(t)
	second := c.messages(5, 100)
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	if err := c.sink.PublishBatch(ctx, feed.NewBatch(second...)); err == nil {
		t.Fatal("publish to an unreachable place reports success")
	}
	if p, ok := c.Sink.(feed.Prober); ok {
		if err := p.Probe(ctx); err == nil {
			t.Error("the probe of an unreachable place succeeds")
		}
	}
	c.Up(t)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for {
		err := c.sink.PublishBatch(c.ctx, feed.NewBatch(second...))
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("publish after the place came back: %v", err)
		}
		<-tick.C
	}
	if p, ok := c.Sink.(feed.Prober); ok {
		if err := p.Probe(c.ctx); err != nil {
			t.Errorf("probe: %v", err)
		}
	}
	got := map[string]bool{}
	for _, s := range c.Stored(t, len(first)+len(second)) {
		got[string(s.Payload)] = true
	}
	for i, m := range append(first, second...) {
		if !got[string(m.Payload)] {
			t.Errorf("message %d is missing", i)
		}
	}
}

func testSinkClose(t *testing.T, c *sinkCase) {
	c.publish(t, c.messages(1, 100)...)
	for range 3 {
		if err := c.Sink.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if err := c.sink.PublishBatch(c.ctx, feed.NewBatch(c.messages(1, 100)...)); err == nil {
		t.Error("publish after close reports success")
	}
}
