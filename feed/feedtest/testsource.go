package feedtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// patience bounds every wait of a conformance suite. It is generous: a suite
// passes as soon as it can.
const patience = 30 * time.Second

// SourceUnderTest is a source on an empty place of its own, and the means to
// fill and break it.
type SourceUnderTest struct {
	Source message.Subscriber
	// Topic is what to subscribe to; empty when the source knows.
	Topic string
	// Window is the most unsettled deliveries that the source hands out; at
	// least 8. The suite puts in more.
	Window int
	// Put puts messages into the source's place, in order, and returns when
	// they are there.
	Put func(t testing.TB, payloads ...[]byte)
	// Left returns how many messages are in the source's place, handed out or
	// not. It may lag; the suite waits. Nil when it cannot be told.
	Left func(t testing.TB) int
	// Break ends the source's connection from the other side. Nil when there
	// is none.
	Break func(t testing.TB)
}

// TestSource checks that a source keeps the contract of
// [feed.BatchSubscriber]. newSource is called once for each part and cleans up
// with t.Cleanup.
func TestSource(t *testing.T, newSource func(t *testing.T) SourceUnderTest) {
	parts := []struct {
		name string
		run  func(*testing.T, *sourceCase)
	}{
		{"hands out in order, at most as asked", testSourceOrder},
		{"receive ends with its context", testSourceContext},
		{"settled does not come again", testSourceSettled},
		{"settling skips nothing and passes nothing", testSourceGaps},
		{"close gives back in order", testSourceGiveBack},
		{"window bounds what is unsettled", testSourceWindow},
		{"describe returns the original", testSourceDescribe},
		{"a broken connection brings back what was unsettled", testSourceBreak},
		{"close is idempotent", testSourceClose},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
			defer cancel()
			c := &sourceCase{SourceUnderTest: newSource(t), ctx: ctx}
			source, ok := c.Source.(feed.BatchSubscriber)
			if !ok {
				t.Fatalf("%T is no feed.BatchSubscriber", c.Source)
			}
			c.source = source
			p.run(t, c)
			if err := c.Source.Close(); err != nil {
				t.Errorf("close source: %v", err)
			}
		})
	}
}

type sourceCase struct {
	SourceUnderTest
	ctx    context.Context
	source feed.BatchSubscriber
}

// put puts in the messages 000000 to n-1.
func (c *sourceCase) put(t *testing.T, n int) {
	t.Helper()
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = fmt.Appendf(nil, "%06d", i)
	}
	c.Put(t, payloads...)
}

// subscribe retries, as a route does: after a break the source may need a
// moment.
func (c *sourceCase) subscribe(t *testing.T) feed.Subscription {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for {
		sub, err := c.source.SubscribeBatch(c.ctx, c.Topic)
		if err == nil {
			t.Cleanup(func() { _ = sub.Close() })
			return sub
		}
		if time.Now().After(deadline) {
			t.Fatalf("subscribe: %v", err)
		}
		<-tick.C
	}
}

// receive receives n deliveries.
func (c *sourceCase) receive(t *testing.T, sub feed.Subscription, n int) []feed.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	var ds []feed.Delivery
	for len(ds) < n {
		var err error
		before := len(ds)
		ds, err = sub.Receive(ctx, ds, n-len(ds))
		if err != nil {
			t.Fatalf("receive: got %d of %d, then %v", len(ds), n, err)
		}
		if len(ds) == before || len(ds) > n {
			t.Fatalf("receive appended %d deliveries, with a limit of %d", len(ds)-before, n-before)
		}
	}
	for i := 1; i < len(ds); i++ {
		if ds[i].Tag <= ds[i-1].Tag {
			t.Fatalf("tag %d after %d: tags must increase", ds[i].Tag, ds[i-1].Tag)
		}
	}
	return ds
}

func (c *sourceCase) expect(t *testing.T, ds []feed.Delivery, from int) {
	t.Helper()
	for i, d := range ds {
		if want := fmt.Sprintf("%06d", from+i); string(d.Message.Payload) != want {
			t.Fatalf("delivery %d is %q, want %q", i, d.Message.Payload, want)
		}
	}
}

func (c *sourceCase) settle(t *testing.T, sub feed.Subscription, ds ...feed.Delivery) {
	t.Helper()
	s := make([]feed.Settlement, len(ds))
	for i, d := range ds {
		s[i] = feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered}
	}
	if err := sub.Settle(c.ctx, s); err != nil {
		t.Fatalf("settle: %v", err)
	}
}

// expectLeft waits until the source's place holds n messages.
func (c *sourceCase) expectLeft(t *testing.T, n int) {
	t.Helper()
	if c.Left == nil {
		return
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for {
		got := c.Left(t)
		if got == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are left, want %d", got, n)
		}
		<-tick.C
	}
}

func (c *sourceCase) expectNothing(t *testing.T, sub feed.Subscription) {
	t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 300*time.Millisecond)
	defer cancel()
	ds, err := sub.Receive(ctx, nil, 10)
	if len(ds) > 0 {
		t.Fatalf("got %q, want nothing", ds[0].Message.Payload)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("receive: %v, want the context's error", err)
	}
}

func testSourceOrder(t *testing.T, c *sourceCase) {
	sub := c.subscribe(t)
	n := 3 * c.Window
	c.put(t, n)
	for from := 0; from < n; {
		step := min(1+from%7, c.Window, n-from)
		ds := c.receive(t, sub, step)
		c.expect(t, ds, from)
		c.settle(t, sub, ds...)
		from += step
	}
	c.expectLeft(t, 0)
}

func testSourceContext(t *testing.T, c *sourceCase) {
	sub := c.subscribe(t)
	c.expectNothing(t, sub)
	cancelled, cancel := context.WithCancel(c.ctx)
	cancel()
	if ds, err := sub.Receive(cancelled, nil, 1); len(ds) != 0 || !errors.Is(err, context.Canceled) {
		t.Fatalf("receive with an ended context: %d deliveries, %v", len(ds), err)
	}
	c.put(t, 1) // and it still works
	c.expect(t, c.receive(t, sub, 1), 0)
}

func testSourceSettled(t *testing.T, c *sourceCase) {
	sub := c.subscribe(t)
	c.put(t, 8)
	c.settle(t, sub, c.receive(t, sub, 8)...)
	c.expectLeft(t, 0)
	if err := sub.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	c.expectNothing(t, c.subscribe(t))
}

func testSourceGaps(t *testing.T, c *sourceCase) {
	sub := c.subscribe(t)
	c.put(t, 8)
	ds := c.receive(t, sub, 8)
	c.settle(t, sub, ds[2], ds[3], ds[6]) // 0 1 . . 4 5 . 7 stay
	c.settle(t, sub, ds[0], ds[4])        // 1 5 7 stay
	c.expectLeft(t, 3)
	if err := sub.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	again := c.receive(t, c.subscribe(t), 3)
	for i, want := range []string{"000001", "000005", "000007"} {
		if string(again[i].Message.Payload) != want {
			t.Fatalf("redelivery %d is %q, want %q", i, again[i].Message.Payload, want)
		}
		if !again[i].Redelivered {
			t.Errorf("redelivery of %q is not marked as one", want)
		}
	}
}

func testSourceGiveBack(t *testing.T, c *sourceCase) {
	c.put(t, c.Window)
	for range 3 {
		sub := c.subscribe(t)
		c.expect(t, c.receive(t, sub, c.Window), 0)
		if err := sub.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	sub := c.subscribe(t)
	ds := c.receive(t, sub, c.Window)
	c.expect(t, ds, 0)
	c.settle(t, sub, ds...)
	c.expectLeft(t, 0)
}

func testSourceWindow(t *testing.T, c *sourceCase) {
	sub := c.subscribe(t)
	c.put(t, c.Window+5)
	ds := c.receive(t, sub, c.Window)
	c.expectNothing(t, sub)
	c.settle(t, sub, ds[:5]...)
	more := c.receive(t, sub, 5)
	c.expect(t, more, c.Window)
}

func testSourceDescribe(t *testing.T, c *sourceCase) {
	sub := c.subscribe(t)
	d, ok := sub.(feed.Describer)
	if !ok {
		return // optional: the route describes it by its metadata
	}
	payload := []byte{0, 1, 2, 0xff, '\n', '{'}
	c.Put(t, payload)
	got := c.receive(t, sub, 1)[0]
	original, err := d.Describe(got.Tag)
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	if !bytes.Equal(original.Payload, payload) {
		t.Errorf("described payload is %q, want %q", original.Payload, payload)
	}
	if original.Format == "" || original.Origin == "" {
		t.Errorf("description lacks format or origin: %+v", original)
	}
	c.settle(t, sub, got)
	if _, err := d.Describe(got.Tag); err == nil {
		t.Error("a settled delivery can still be described")
	}
}

func testSourceBreak(t *testing.T, c *sourceCase) {
	if c.Break == nil {
		return // nothing to break
	}
	sub := c.subscribe(t)
	c.put(t, 8)
	ds := c.receive(t, sub, 8)
	c.settle(t, sub, ds[:3]...)
	c.expectLeft(t, 5)
	if err := sub.Settle(c.ctx, nil); err != nil {
		t.Errorf("settle of nothing: %v", err)
	}
	c.Break(t)
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	if more, err := sub.Receive(ctx, nil, 1); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("receive on a broken connection: %d deliveries, %v", len(more), err)
	}
	if err := sub.Settle(c.ctx, []feed.Settlement{{Tag: ds[3].Tag, Outcome: feed.Delivered}}); err == nil {
		t.Error("settle on a broken connection reports success")
	}
	if err := sub.Settle(c.ctx, nil); err == nil {
		t.Error("settle of nothing on a broken connection reports success")
	}
	if err := sub.Close(); err != nil {
		t.Logf("close of a broken subscription: %v", err)
	}
	sub = c.subscribe(t)
	again := c.receive(t, sub, 5)
	c.expect(t, again, 3)
	c.settle(t, sub, again...)
	c.expectLeft(t, 0)
}

func testSourceClose(t *testing.T, c *sourceCase) {
	sub := c.subscribe(t)
	for range 3 {
		if err := sub.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if _, err := sub.Receive(c.ctx, nil, 1); err == nil {
		t.Error("receive on a closed subscription reports success")
	}
}
