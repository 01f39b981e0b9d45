package remote_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
)

type queueConfig struct{}

func (*queueConfig) Validate() error { return nil }

// queueFactory makes sources of a queue.
func queueFactory(q *feedtest.Queue) feed.Factory {
	return feed.SourceFactory("queue", "hands out", func() queueConfig { return queueConfig{} },
		func(queueConfig, feed.StageEnv) (textIDs, error) { return textIDs{q}, nil })
}

// textIDs is a queue whose messages have other ids than their payloads, which may be
// any bytes.
type textIDs struct{ *feedtest.Queue }

func (q textIDs) SubscribeBatch(ctx context.Context, topic string) (feed.Subscription, error) {
	sub, err := q.Queue.SubscribeBatch(ctx, topic)
	if err != nil {
		return nil, err
	}
	return textIDSubscription{sub, sub.(feed.Describer)}, nil
}

type textIDSubscription struct {
	feed.Subscription
	feed.Describer
}

func (s textIDSubscription) Receive(ctx context.Context, dst []feed.Delivery, max int) ([]feed.Delivery, error) {
	dst, err := s.Subscription.Receive(ctx, dst, max)
	for _, d := range dst {
		d.Message.UUID = strings.ToValidUTF8(d.Message.UUID, "?")
		feed.SetTopic(d.Message, strings.ToValidUTF8(feed.Topic(d.Message), "?"))
	}
	return dst, err
}

func TestSourceConforms(t *testing.T) {
	feedtest.TestSource(t, func(t *testing.T) feedtest.SourceUnderTest {
		q := &feedtest.Queue{Window: 10}
		plugin, process := connect(t, queueFactory(q))
		t.Cleanup(func() {
			if reasons := process.Reasons(); len(reasons) > 0 {
				t.Errorf("the plugin failed because of %v", reasons)
			}
			if err := q.Misuse(); err != nil {
				t.Error(err)
			}
		})
		return feedtest.SourceUnderTest{
			Source: plugin.Source("queue", []byte("{}"), env),
			Window: q.Window,
			Put: func(_ testing.TB, payloads ...[]byte) {
				for _, p := range payloads {
					q.Put(string(p))
				}
			},
			Left:  func(testing.TB) int { return q.Len() },
			Break: func(testing.TB) { q.Break() },
		}
	})
}

func TestSourceOfAProcessThatDies(t *testing.T) {
	q := &feedtest.Queue{Window: 10}
	plugin, process := connect(t, queueFactory(q))
	feedtest.TestSource(t, func(*testing.T) feedtest.SourceUnderTest {
		q, process = &feedtest.Queue{Window: 10}, nil
		plugin, process = connect(t, queueFactory(q))
		return feedtest.SourceUnderTest{
			Source: plugin.Source("queue", []byte("{}"), env),
			Window: q.Window,
			Put: func(_ testing.TB, payloads ...[]byte) {
				for _, p := range payloads {
					q.Put(string(p))
				}
			},
			Left:  func(testing.TB) int { return q.Len() },
			Break: func(testing.TB) { process.Kill() },
		}
	})
}

// A source with many messages sends no more than it may, and all of them.
func TestSourceKeepsToItsCredit(t *testing.T) {
	const n = 5000
	q := &feedtest.Queue{}
	for i := range n {
		q.Put(fmt.Sprint(i))
	}
	plugin, process := connect(t, queueFactory(q))
	source := plugin.Source("queue", []byte("{}"), env)
	sub, err := source.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for next := 0; next < n; {
		ds, err := sub.Receive(t.Context(), nil, 700)
		if err != nil {
			t.Fatal(err)
		}
		var settlements []feed.Settlement
		for _, d := range ds {
			if want := fmt.Sprint(next); string(d.Message.Payload) != want {
				t.Fatalf("got %s, want %s", d.Message.Payload, want)
			}
			next++
			settlements = append(settlements, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
		}
		if ahead := q.Unsettled(); ahead > 1000+len(ds) {
			t.Errorf("%d deliveries are unsettled", ahead)
		}
		if err := sub.Settle(t.Context(), settlements); err != nil {
			t.Fatal(err)
		}
	}
	if err := source.Close(); err != nil {
		t.Error(err)
	}
	if q.Len() > 0 || len(process.Reasons()) > 0 {
		t.Errorf("%d are left, the plugin failed because of %q", q.Len(), process.Reasons())
	}
}

// handOuts hands out what a function returns, as long as that is something.
type handOuts struct {
	feed.Subscription
	take func(most int) []feed.Delivery
}

func (h *handOuts) Receive(ctx context.Context, dst []feed.Delivery, max int) ([]feed.Delivery, error) {
	ds := h.take(max)
	if len(ds) == 0 {
		<-ctx.Done()
		return dst, ctx.Err()
	}
	return append(dst, ds...), nil
}
func (*handOuts) Close() error { return nil }

type handOutSource struct {
	message.Subscriber
	subscription feed.Subscription
}

func (s handOutSource) SubscribeBatch(context.Context, string) (feed.Subscription, error) {
	return s.subscription, nil
}
func (handOutSource) Close() error { return nil }

// farAway is a source whose broker cannot be reached the first time, nor settled with.
type farAway struct {
	message.Subscriber
	calls atomic.Int32
	alive context.Context // of the subscription
}

func (f *farAway) SubscribeBatch(ctx context.Context, _ string) (feed.Subscription, error) {
	if f.calls.Add(1) == 1 {
		<-ctx.Done()
		return nil, fmt.Errorf("dial: %w", ctx.Err())
	}
	f.alive = ctx
	return f, nil
}

func (*farAway) Receive(ctx context.Context, dst []feed.Delivery, _ int) ([]feed.Delivery, error) {
	<-ctx.Done()
	return dst, ctx.Err()
}

func (f *farAway) Settle(ctx context.Context, s []feed.Settlement) error {
	if len(s) == 0 {
		return f.alive.Err()
	}
	<-ctx.Done()
	return fmt.Errorf("acknowledge: %w", ctx.Err())
}
func (*farAway) Close() error { return nil }

// A source that waits longer than it may is no hung process.
func TestSourceThatWaitsIsAskedAgain(t *testing.T) {
	far := &farAway{}
	_, process := connect(t, feed.SourceFactory("far", "waits", func() plainConfig { return plainConfig{} },
		func(plainConfig, feed.StageEnv) (*farAway, error) { return far, nil }))
	source := remote.New("acme", process, remote.Limits{Timeout: time.Second}).Source("far", []byte("{}"), env)
	_, err := source.SubscribeBatch(t.Context(), "")
	if err == nil || err.Error() != "source far of plugin acme was not done within 1s: dial: context canceled" || feed.IsPermanent(err) {
		t.Errorf("subscribe returned %v", err)
	}
	sub, err := source.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Settle(t.Context(), []feed.Settlement{{Tag: 1, Outcome: feed.Delivered}}); err == nil || err.Error() != "source far of plugin acme was not done within 1s: acknowledge: context canceled" {
		t.Errorf("settle returned %v", err)
	}
	if err := sub.Settle(t.Context(), nil); err != nil {
		t.Errorf("the subscription has ended, or the next question is cancelled: %v", err)
	}
	if err := source.Close(); err != nil || len(process.Reasons()) > 0 {
		t.Errorf("close: %v, the plugin failed because of %q", err, process.Reasons())
	}
}

// handing makes sources with one subscription.
func handing(s feed.Subscription) feed.Factory {
	return feed.SourceFactory("handing", "hands out", func() plainConfig { return plainConfig{} },
		func(plainConfig, feed.StageEnv) (handOutSource, error) { return handOutSource{subscription: s}, nil })
}

// What is wrong with one subscription ends it, and not the plugin.
func TestSourceWithABug(t *testing.T) {
	good := feed.Delivery{Message: message.NewMessage("1", []byte("x")), Tag: 1}
	for name, c := range map[string]struct {
		bug  func() feed.Delivery
		want string
	}{
		"panic":      {func() feed.Delivery { panic("the author's bug") }, "receive panicked at "},
		"no message": {func() feed.Delivery { return feed.Delivery{Tag: 2} }, "delivery 2 cannot be sent to the feed: it is a nil message"},
		"no UTF-8": {func() feed.Delivery { return feed.Delivery{Message: message.NewMessage("\xe4", nil), Tag: 2} },
			`delivery 2 cannot be sent to the feed: its id "\xe4" is no UTF-8`},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			plugin, process := connect(t, handing(&handOuts{take: func(int) []feed.Delivery {
				if calls++; calls == 1 {
					return []feed.Delivery{good}
				}
				return []feed.Delivery{c.bug()}
			}}))
			source := plugin.Source("handing", []byte("{}"), env)
			sub, err := source.SubscribeBatch(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			for {
				ds, err := sub.Receive(t.Context(), nil, 10)
				if len(ds) == 1 && ds[0].Tag == 1 && err == nil {
					continue
				}
				if len(ds) > 0 || err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("received %v, %v; want %s", ds, err, c.want)
				}
				break
			}
			if err := source.Close(); err != nil || len(process.Reasons()) > 0 {
				t.Errorf("close: %v, the plugin failed because of %q", err, process.Reasons())
			}
		})
	}
}

// A source whose messages become long at once does not send more bytes than it may; and
// all of them come, whatever the feed takes at a time.
func TestSourceWithMessagesOfAllLengths(t *testing.T) {
	lengths := slices.Repeat([]int{10}, 3000)
	lengths = append(lengths, slices.Repeat([]int{1 << 20}, 40)...)
	lengths = append(lengths, 20<<20, 1, 9<<20, 9<<20, 0, 5<<20)
	lengths = append(lengths, slices.Repeat([]int{100}, 2000)...)
	next := 0
	plugin, process := connect(t, handing(&handOuts{take: func(most int) (ds []feed.Delivery) {
		for len(ds) < most && next < len(lengths) {
			ds = append(ds, feed.Delivery{Message: message.NewMessage("", make([]byte, lengths[next])), Tag: uint64(next + 1)})
			next++
		}
		return ds
	}}))
	source := plugin.Source("handing", []byte("{}"), env)
	sub, err := source.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for got := 0; got < len(lengths); {
		ds, err := sub.Receive(t.Context(), nil, 1+got%7*100)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			if d.Tag != uint64(got+1) || len(d.Message.Payload) != lengths[got] {
				t.Fatalf("delivery %d has %d bytes, want delivery %d with %d", d.Tag, len(d.Message.Payload), got+1, lengths[got])
			}
			got++
		}
	}
	if err := source.Close(); err != nil || len(process.Reasons()) > 0 {
		t.Errorf("close: %v, the plugin failed because of %q", err, process.Reasons())
	}
}

func TestSourceAsAPlainSubscriber(t *testing.T) {
	settled := make(chan string, 2)
	q := &feedtest.Queue{OnSettle: func(s feedtest.Settled) error {
		settled <- s.Payload
		return nil
	}}
	q.Put("a", "b")
	plugin, _ := connect(t, queueFactory(q))
	source := plugin.Source("queue", []byte("{}"), env)
	ch, err := source.Subscribe(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a", "b"} {
		var m *message.Message
		select {
		case m = <-ch:
		case <-time.After(patience):
			t.Fatal("no message")
		}
		if string(m.Payload) != want || m.UUID != want || feed.Topic(m) != want {
			t.Errorf("got %s %q %v", m.UUID, m.Payload, m.Metadata)
		}
		m.Ack()
		select {
		case got := <-settled:
			if got != want {
				t.Errorf("%s was settled", got)
			}
		case <-time.After(patience):
			t.Fatalf("%s was not settled", want)
		}
	}
	if err := source.Close(); err != nil {
		t.Error(err)
	}
}
