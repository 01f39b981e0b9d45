package amqp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func msg(id, topic, payload string) *message.Message {
	return &message.Message{UUID: id, Payload: []byte(payload), Metadata: message.Metadata{feed.MetaTopic: topic}}
}

// failures returns the failures of err by index.
func failures(t testing.TB, err error) map[int]error {
	t.Helper()
	if err == nil {
		return nil
	}
	var be *feed.BatchError
	if !errors.As(err, &be) {
		t.Fatalf("got %v, want a *feed.BatchError", err)
	}
	m := map[int]error{}
	for i, f := range be.Failures {
		if i > 0 && f.Index <= be.Failures[i-1].Index {
			t.Fatalf("failures are not in order: %v", be.Failures)
		}
		m[f.Index] = f.Err
	}
	return m
}

// Whatever the broker answers to each message, the result tells the messages
// apart rightly, equal ones included, and only confirmed ones count as done.
func TestSinkTellsOutcomesApart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newFakeBroker("q")
		n := rapid.IntRange(1, 40).Draw(rt, "n")
		verdicts := make([]fakeVerdict, n)
		messages := make([]*message.Message, n)
		for i := range n {
			verdicts[i] = rapid.SampledFrom([]fakeVerdict{route, route, returnIt, refuse}).Draw(rt, "verdict")
			// Few different messages: many are equal.
			messages[i] = msg(rapid.SampledFrom([]string{"", "a"}).Draw(rt, "id"), "q", rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "payload"))
		}
		i := 0
		b.onPublish = func(*amqp091.Publishing, string) fakeVerdict { i++; return verdicts[i-1] }
		sink := fakeSink(t, b, func(*SinkConfig) {})
		got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(messages...)))

		// Equal messages are interchangeable: compare by content how many
		// failed, and how often each stands in the queue.
		content := func(m *message.Message) string { return m.UUID + "/" + string(m.Payload) }
		wantDone, gotDone, stored := map[string]int{}, map[string]int{}, map[string]int{}
		for i, v := range verdicts {
			if v == route {
				wantDone[content(messages[i])]++
			}
			if got[i] == nil {
				gotDone[content(messages[i])]++
			}
		}
		for _, m := range b.queues["q"] {
			stored[m.msg.MessageId+"/"+string(m.msg.Body)]++
		}
		for _, m := range messages {
			k := content(m)
			if gotDone[k] != wantDone[k] || stored[k] != gotDone[k] {
				rt.Fatalf("%q: %d done, want %d; %d stored", k, gotDone[k], wantDone[k], stored[k])
			}
		}
		returned, refused := 0, 0
		for _, v := range verdicts {
			switch v {
			case returnIt:
				returned++
			case refuse:
				refused++
			}
		}
		if e := sink.Events(); e[eventUnroutable] != uint64(returned) || e[eventRefused] != uint64(refused) {
			rt.Fatalf("%d were returned and %d refused, but counted: %v", returned, refused, e)
		}
		_ = sink.Close()
	})
}

func TestSinkReturns(t *testing.T) {
	for _, policy := range []Unroutable{UnroutableRetry, UnroutableQuarantine} {
		b := newFakeBroker("q")
		sink := fakeSink(t, b, func(c *SinkConfig) { c.Unroutable = policy })
		got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "q", ""), msg("2", "nowhere", ""), msg("3", "q", ""), msg("4", "", ""))))
		if len(got) != 2 || got[1] == nil || feed.IsPermanent(got[1]) != (policy == UnroutableQuarantine) || !strings.Contains(got[1].Error(), "nowhere") ||
			strings.Contains(got[1].Error(), "(bind a queue to the exchange for that key, or write unroutable: quarantine)") != (policy == UnroutableRetry) {
			t.Errorf("%s: got %v", policy, got)
		}
		if !feed.IsPermanent(got[3]) {
			t.Errorf("a message without a routing key for the default exchange: %v", got[3])
		}
	}
}

// A return that fits no message means that a confirm proves nothing.
func TestSinkTrustsNoConfirmBesideAStrangeReturn(t *testing.T) {
	b := newFakeBroker("q")
	first := true
	b.onPublish = func(m *amqp091.Publishing, _ string) fakeVerdict {
		if !first {
			return route
		}
		first = false
		m.MessageId = "altered"
		return returnIt
	}
	sink := fakeSink(t, b, func(*SinkConfig) {})
	got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "q", ""), msg("2", "q", ""))))
	if len(got) != 2 {
		t.Fatalf("failures %v, want both", got)
	}
	noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "q", ""))))
}

func TestSinkConfirmTimeout(t *testing.T) {
	b := newFakeBroker("q")
	b.onPublish = func(m *amqp091.Publishing, _ string) fakeVerdict {
		if m.MessageId == "2" {
			return swallow
		}
		return route
	}
	sink := fakeSink(t, b, func(c *SinkConfig) { c.ConfirmTimeout = 10 * time.Millisecond })
	got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "q", ""), msg("2", "q", ""), msg("3", "q", ""))))
	if got[0] != nil || got[1] == nil || feed.IsPermanent(got[1]) || feed.IsConnectionFatal(got[1]) || !strings.Contains(got[1].Error(), "no publisher confirm within 10ms") {
		t.Errorf("got %v", got)
	}
	b.onPublish = nil
	noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("2", "q", "")))) // over a new connection
}

func TestSinkContextEndsTheWait(t *testing.T) {
	b := newFakeBroker("q")
	ctx, cancel := context.WithCancel(t.Context())
	b.onPublish = func(*amqp091.Publishing, string) fakeVerdict { cancel(); return swallow }
	sink := fakeSink(t, b, func(*SinkConfig) {})
	got := failures(t, sink.PublishBatch(ctx, feed.NewBatch(msg("1", "q", ""))))
	if len(got) != 1 || feed.IsPermanent(got[0]) {
		t.Errorf("got %v", got)
	}
}

func TestSinkBlamesTheMessageThatTheBrokerMeans(t *testing.T) {
	b := newFakeBroker("q")
	b.onPublish = func(m *amqp091.Publishing, _ string) fakeVerdict {
		if len(m.Body) > 10 {
			return closeChan
		}
		return swallow // confirms lag behind
	}
	sink := fakeSink(t, b, func(*SinkConfig) {})
	got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "q", "ok"), msg("2", "q", "far too large"), msg("3", "q", "ok"))))
	if len(got) != 3 || !feed.IsConnectionFatal(got[1]) || feed.IsConnectionFatal(got[0]) || feed.IsConnectionFatal(got[2]) {
		t.Errorf("got %v", got)
	}
}

func TestSuspect(t *testing.T) {
	open := []*outgoing{{key: "a"}, {key: "b"}}
	for _, c := range []struct {
		code   int
		reason string
		want   *outgoing
	}{
		{404, "NOT_FOUND - no exchange 'x' in vhost '/'", nil},
		{403, "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'", nil},
		{403, "ACCESS_REFUSED - write access to topic 'b' in exchange 'x' in vhost '/' refused for user 'u'", open[1]},
		{406, "PRECONDITION_FAILED - invalid expiration", open[0]},
		{320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", nil},
	} {
		if got := suspect(&amqp091.Error{Code: c.code, Reason: c.reason, Server: true}, open); got != c.want {
			t.Errorf("%s: blames %v, want %v", c.reason, got, c.want)
		}
	}
	if suspect(&amqp091.Error{Code: 406}, open) != nil || suspect(errLinkClosed, open) != nil || suspect(&amqp091.Error{Code: 406, Server: true}, nil) != nil {
		t.Error("blames a message for a broken connection")
	}
}

func TestSinkMissingExchangeIsNoMessagesFault(t *testing.T) {
	b := newFakeBroker("q")
	sink := fakeSink(t, b, func(c *SinkConfig) { c.Exchange = "missing" })
	got := failures(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "k", ""), msg("2", "k", ""))))
	for i := range 2 {
		if got[i] == nil || feed.IsConnectionFatal(got[i]) || feed.IsPermanent(got[i]) {
			t.Errorf("message %d: %v, want a transient error", i, got[i])
		}
	}
	if err := sink.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), `exchange "missing" does not exist`) {
		t.Errorf("probe: %v", err)
	}
}

func TestSinkWaitsWhileBlocked(t *testing.T) {
	b := newFakeBroker("q")
	sink := fakeSink(t, b, func(c *SinkConfig) { c.ConfirmTimeout = 20 * time.Millisecond })
	noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("1", "q", ""))))
	b.block("low on memory")
	err := sink.PublishBatch(t.Context(), feed.NewBatch(msg("2", "q", "")))
	if err == nil || !strings.Contains(err.Error(), "low on memory") {
		t.Errorf("got %v", err)
	}
	if err := sink.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "low on memory") {
		t.Errorf("probe: %v", err)
	}
	if n := sink.Events()[eventBlocked]; n != 1 {
		t.Errorf("%d waits are counted", n)
	}
	b.block("")
	noError(t, sink.PublishBatch(t.Context(), feed.NewBatch(msg("2", "q", ""))))
	if n := b.left("q"); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

func TestSinkLargeBatchesAndManyCallers(t *testing.T) {
	b := newFakeBroker("q")
	sink := fakeSink(t, b, func(*SinkConfig) {})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var ms []*message.Message
			for i := range 2*maxUnconfirmed + 5 {
				ms = append(ms, msg(fmt.Sprint(g, "-", i), "q", ""))
			}
			if err := sink.Publish("q", ms...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	last := map[string]int{}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.queues["q"] {
		var g, i int
		_, err := fmt.Sscanf(m.msg.MessageId, "%d-%d", &g, &i)
		noError(t, err)
		if want := last[fmt.Sprint(g)]; i != want {
			t.Fatalf("caller %d: message %d after %d", g, i, want-1)
		}
		last[fmt.Sprint(g)]++
	}
	if len(b.queues["q"]) != 4*(2*maxUnconfirmed+5) {
		t.Errorf("%d messages", len(b.queues["q"]))
	}
}
