package plugintest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// closing closes a stage at the end of a test.
func closing(t *testing.T, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

type closer func() error

func (c closer) Close() error { return c() }

func (c Transform) testKill(t *testing.T, s stages) {
	transform := s.transform(t, c.Name, c.Configuration)
	if transform.Close != nil {
		closing(t, closer(transform.Close))
	}
	var before []string
	for _, m := range c.Messages() {
		before = append(before, shown(transform.Try(t.Context(), m)))
	}
	s.kill()
	for i, m := range c.Messages() {
		if after := shown(transform.Try(t.Context(), m)); after != before[i] {
			t.Errorf("message %d: before the process was killed it made %s, and then %s", i, before[i], after)
		}
	}
}

// shown is what was made of a message, but for ids, and the texts of errors: a panic's
// has addresses.
func shown(made []*message.Message, err error) string {
	var b bytes.Buffer
	reason, filtered := feed.FilterReason(err)
	fmt.Fprintf(&b, "filtered %v %q, failed %v, for good %v", filtered, reason, err != nil, feed.IsPermanent(err))
	for _, m := range made {
		fmt.Fprintf(&b, ", %q with", m.Payload)
		for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
			fmt.Fprintf(&b, " %s=%q", key, m.Metadata[key])
		}
	}
	return b.String()
}

func (c Sink) testKill(t *testing.T, s stages) {
	configuration, place := c.Place(t)
	sink := s.sink(t, c.Name, configuration)
	closing(t, sink)
	for n := range 2 {
		payload := []byte(fmt.Sprintf(`{"batch": %d}`, n))
		if place.Payload != nil {
			payload = place.Payload(n, len(payload))
		}
		m := message.NewMessage(fmt.Sprintf("batch %d", n), payload)
		feed.SetTopic(m, place.Topic(n))
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		err := sink.(feed.BatchPublisher).PublishBatch(ctx, feed.NewBatch(m))
		cancel()
		if err != nil {
			t.Fatalf("batch %d: %v", n, err)
		}
		s.kill()
		if stored := place.Stored(t, n+1); len(stored) != n+1 || !slices.ContainsFunc(stored, func(s feedtest.Stored) bool { return bytes.Equal(s.Payload, payload) }) {
			t.Errorf("after batch %d: %d messages are stored: %v", n, len(stored), stored)
		}
	}
}

func (c Source) testKill(t *testing.T, s stages) {
	configuration, place := c.Place(t)
	source := s.source(t, c.Name, configuration)
	closing(t, source)
	want := []string{"first", "second", "third"}
	for _, p := range want {
		place.Put(t, []byte(p))
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	receive := func() (feed.Subscription, []string) {
		sub, err := source.(feed.BatchSubscriber).SubscribeBatch(ctx, place.Topic)
		if err != nil {
			t.Fatalf("subscribe: %v", err)
		}
		var got []string
		var ds []feed.Delivery
		for len(got) < len(want) {
			if ds, err = sub.Receive(ctx, nil, len(want)); err != nil {
				t.Fatalf("receive: %v", err)
			}
			for _, d := range ds {
				got = append(got, string(d.Message.Payload))
			}
		}
		return sub, got
	}
	sub, _ := receive()
	s.kill()
	if _, err := sub.Receive(ctx, nil, 1); err == nil || ctx.Err() != nil {
		t.Errorf("after the process was killed the subscription returned %v", err)
	}
	_ = sub.Close() // what it could not tell comes again
	if sub, got := receive(); !slices.Equal(got, want) {
		t.Errorf("after the process was killed it handed out %q, want %q", got, want)
	} else if err := sub.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func (c Codec) testKill(t *testing.T, s stages) {
	codec := s.codec(t, c.Name, c.Configuration)
	closing(t, codec)
	c.testBatches(t, codec)
	s.kill()
	c.testBatches(t, codec)
}

func (c Expectation) testKill(t *testing.T, s stages) {
	configuration, place := c.Place(t)
	side := s.expectation(t, c.Name, configuration)
	closing(t, side)
	r := reading.Reading{Device: "press7", Tag: "killed", Time: validatetest.Noon.UnixNano(), Value: reading.OfInt(7), Seq: 1}
	place.Put(t, r)
	read := func() (all []string) {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		day := validate.Query{From: validatetest.Noon.Add(-24 * time.Hour), To: validatetest.Noon.Add(24 * time.Hour)}
		if err := side.Read(ctx, day, func(p validate.Page) error {
			for _, r := range p.Records {
				all = append(all, fmt.Sprintf("%+v", r))
			}
			return nil
		}); err != nil {
			t.Errorf("read: %v", err)
		}
		return all
	}
	before := read()
	s.kill()
	if after := read(); len(before) != 1 || !slices.Equal(after, before) {
		t.Errorf("before the process was killed it read %q, and then %q", before, after)
	}
}
