package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// What was not acknowledged survives the broker's restart, in order, and what
// was does not come again.
func TestMosquittoRestarts(t *testing.T) {
	t.Parallel() // it waits most of the time
	broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings("persistence true"))
	s := newTestSource(t, broker.URL(), func(c *SourceConfig) { c.ReceiveMaximum = 100 })
	initialize(t, s)
	put(t, newTestSink(t, broker.URL()), numberedPayloads(1000)...)
	next := 0
	for restart := range 4 {
		sub := resubscribe(t, s)
		for range 200 {
			d := receive(t, sub, 1)[0]
			if got := atoi(t, d.Message.Payload); got != next {
				t.Fatalf("message %d in the place of %d", got, next)
			}
			settle(t, sub, d)
			next++
		}
		receive(t, sub, 50) // they come again
		awaitSettled(t, sub)
		broker.Stop()
		if _, err := receiveUntilEnd(t, sub); err == nil {
			t.Fatal("the subscription goes on without a broker")
		}
		if err := sub.Close(); err != nil {
			t.Fatalf("close after restart %d: %v", restart, err)
		}
		broker.Start()
	}
	sub := resubscribe(t, s)
	first := receive(t, sub, 50)
	if got := atoi(t, first[0].Message.Payload); got != next || !first[0].Redelivered {
		t.Errorf("first %d, want %d; redelivered %v", got, next, first[0].Redelivered)
	}
	settle(t, sub, first...)
	for next += 50; next < 1000; next++ {
		d := receive(t, sub, 1)[0]
		if got := atoi(t, d.Message.Payload); got != next {
			t.Fatalf("message %d in the place of %d", got, next)
		}
		settle(t, sub, d)
	}
}

// awaitSettled returns when the broker has read all PUBACKs.
func awaitSettled(t testing.TB, sub *subscription) {
	t.Helper()
	testenv.Eventually(t, time.Minute, "the PUBACKs to be written", func() bool {
		sub.turn.Lock()
		defer sub.turn.Unlock()
		return len(sub.owed) == 0
	})
	pongs, err := sub.ping(true)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, "the answer to a ping", func() bool {
		sub.mu.Lock()
		defer sub.mu.Unlock()
		return sub.pongs >= pongs
	})
}

// receiveUntilEnd receives until the subscription ends.
func receiveUntilEnd(t testing.TB, sub *subscription) (ds []feed.Delivery, err error) {
	t.Helper()
	ctx := testContext(t)
	for err == nil {
		ds, err = sub.Receive(ctx, ds, 1000)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ds, nil
	}
	return ds, err
}

// resubscribe subscribes as soon as the broker is there.
func resubscribe(t testing.TB, s *Source) *subscription {
	t.Helper()
	var sub *subscription
	testenv.Eventually(t, time.Minute, "a subscription", func() bool {
		var err error
		sub, err = s.subscribe(testContext(t), "")
		return err == nil
	})
	t.Cleanup(func() { sub.Close() })
	return sub
}

// What the sink sends arrives at the source as it was.
func TestMosquittoCarriesTheMessage(t *testing.T) {
	broker := testenv.Mosquitto(t)
	s := newTestSource(t, broker.URL())
	sub := mustSubscribe(t, s)
	sink := newTestSink(t, broker.URL(), func(c *Config) { c.MessageExpiry = time.Hour })
	sent := &message.Message{
		UUID: "an-id", Payload: []byte("pay\x00load"),
		Metadata: message.Metadata{
			feed.MetaTopic: "plant/krä/ft", feed.MetaTime: "2026-01-02T03:04:05Z", feed.MetaContentType: "text/plain",
			feed.MetaCorrelationID: "\xff\x00", feed.MetaReplyTo: "answers/here", "x-plant": "north", "empty": "",
		},
	}
	if err := publish(t, sink, sent); err != nil {
		t.Fatal(err)
	}
	d := receive(t, sub, 1)[0]
	want := sent.Metadata
	want[HeaderMessageExpiry] = "3600"
	if m := d.Message; m.UUID != "an-id" || string(m.Payload) != "pay\x00load" || fmt.Sprint(m.Metadata) != fmt.Sprint(want) {
		t.Errorf("got %q %v %q", m.UUID, m.Metadata, m.Payload)
	}
	o, err := sub.Describe(d.Tag)
	if err != nil {
		t.Fatal(err)
	}
	var p Properties
	if err := json.Unmarshal(o.Properties, &p); err != nil {
		t.Fatal(err)
	}
	if o.Format != "mqtt-5" || o.Origin != "topic plant/krä/ft" || p.Topic != "plant/krä/ft" || p.QoS != 1 || *p.MessageExpiry != 3600 || len(p.UserProperties) != 4 {
		t.Errorf("described as %s %s %s", o.Format, o.Origin, o.Properties)
	}
}

// A retained message comes once in a session, unless it is asked for always or
// never.
func TestMosquittoRetained(t *testing.T) {
	broker := testenv.Mosquitto(t)
	if err := publish(t, newTestSink(t, broker.URL(), func(c *Config) { c.Retain = true }), &message.Message{Payload: []byte("kept"), Metadata: message.Metadata{feed.MetaTopic: "plant/a"}}); err != nil {
		t.Fatal(err)
	}
	for retained, want := range map[Retained]int{RetainedOnce: 1, RetainedAlways: 3, RetainedNever: 0} {
		t.Run(string(retained), func(t *testing.T) {
			s := newTestSource(t, broker.URL(), func(c *SourceConfig) { c.ClientID, c.Retained = "consumer-"+string(retained), retained })
			got := 0
			for range 3 {
				sub := mustSubscribe(t, s)
				// Behind this one nothing retained can come.
				last := fmt.Sprint(retained, got)
				put(t, newTestSink(t, broker.URL()), []byte(last))
				for {
					d := receive(t, sub, 1)[0]
					settle(t, sub, d)
					if string(d.Message.Payload) != "kept" {
						break
					}
					got++
				}
				if err := sub.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if got != want {
				t.Errorf("it came %d times, want %d", got, want)
			}
		})
	}
}

// Members of a group share the messages: each comes to one of them.
func TestMosquittoSharedSubscription(t *testing.T) {
	broker := testenv.Mosquitto(t)
	var subs []*subscription
	for i := range 3 {
		s := newTestSource(t, broker.URL(), func(c *SourceConfig) { c.ClientID, c.SharedGroup = fmt.Sprint("member-", i), "line" })
		subs = append(subs, mustSubscribe(t, s))
	}
	const n = 600
	put(t, newTestSink(t, broker.URL()), numberedPayloads(n)...)
	var all []int
	for i, sub := range subs {
		last, mine := -1, 0
		for len(all) < n {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			ds, err := sub.Receive(ctx, nil, n)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range ds {
				v := atoi(t, d.Message.Payload)
				if v <= last {
					t.Errorf("member %d got %d after %d", i, v, last)
				}
				last = v
				all = append(all, v)
				mine++
			}
			settle(t, sub, ds...)
		}
		if mine == 0 {
			t.Errorf("member %d got nothing", i)
		}
	}
	slices.Sort(all)
	for i, v := range all {
		if i != v {
			t.Fatalf("%d in the place of %d", v, i)
		}
	}
	if len(all) != n {
		t.Errorf("%d arrived, want %d", len(all), n)
	}
}

// Two clients with one identifier take the session from each other, less and less
// often. Mosquitto does not tell the one that it throws out why.
func TestMosquittoTakeover(t *testing.T) {
	broker := testenv.Mosquitto(t)
	log := &testLog{}
	first := logTestSource(t, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(log, nil))}, broker.URL())
	second := newTestSource(t, broker.URL())
	for range 3 {
		sub := mustSubscribe(t, first)
		if err := mustSubscribe(t, second).Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := receiveUntilEnd(t, sub); err == nil {
			t.Fatal("the session has two clients")
		}
		if err := sub.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !log.has("same client identifier") {
		t.Errorf("log: %s", log)
	}
	if wait := time.Until(first.sessions["consumer"].notBefore); wait < takeoverPause/4 {
		t.Errorf("it comes back in %v", wait)
	}
}

// TLS, with a certificate on both sides.
func TestMosquittoTLSSource(t *testing.T) {
	files := testenv.CA(t)
	broker := testenv.Mosquitto(t, testenv.WithMosquittoTLS(files))
	secure := TLSConfig{CAFile: files.CAFile, CertFile: files.ClientCertFile, KeyFile: files.ClientKeyFile}
	s := newTestSource(t, broker.URL(), func(c *SourceConfig) { c.TLS = secure })
	initialize(t, s)
	put(t, newTestSink(t, broker.URL(), func(c *Config) { c.TLS = secure }), numberedPayloads(500)...)
	sub := mustSubscribe(t, s)
	settle(t, sub, receive(t, sub, 500)...)
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
}
