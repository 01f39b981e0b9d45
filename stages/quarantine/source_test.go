package quarantine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// restoreReason makes a message whose payload and topic are those of the item;
// a payload that begins with "lost" cannot be restored.
func restoreReason(o feed.Original) (*message.Message, error) {
	if strings.HasPrefix(string(o.Payload), "lost") {
		return nil, errors.New("as told")
	}
	return message.NewMessage("", o.Payload), nil
}

// numbered returns items with their numbers as payloads.
func numbered(from, n int) []feed.QuarantineItem {
	items := make([]feed.QuarantineItem, n)
	for i := range items {
		items[i] = itemOf("x", 0)
		items[i].Payload = fmt.Append(nil, from+i)
	}
	return items
}

// replay runs a feed of one route from the quarantine to a sink, and returns
// what the sink has taken.
func replay(t *testing.T, e *Editor, q Query, transform message.HandlerFunc) ([]string, *Source, feed.RouteStatus) {
	t.Helper()
	sink := &feedtest.Sink{}
	source := NewSource(e.Replay("route r", "--all"), q, restoreReason)
	route := feed.Route{Name: "r", Source: source, Sink: sink, Batch: feed.BatchLimits{MaxMessages: 30}}
	if transform != nil {
		route.Transforms = []feed.Transform{{Name: "t", Func: transform}}
	}
	f, err := feed.New(feed.Options{Quarantine: &feedtest.Quarantine{}}, route)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	status := f.Status().Routes[0]
	if err := errors.Join(sink.Misuse(), status.Deliveries.Check()); err != nil {
		t.Error(err)
	}
	return sink.Taken(), source, status
}

func TestReplayTwiceDeliversOnce(t *testing.T) { onBoth(t, testReplayTwiceDeliversOnce) }

func testReplayTwiceDeliversOnce(t *testing.T, open opener) {
	s := open(t, nil)
	put(t, s, numbered(1, 100)...)
	e := edit(t, s)
	taken, _, status := replay(t, e, Query{State: StateUnreplayed}, nil)
	for i, payload := range taken {
		if payload != fmt.Sprint(i+1) {
			t.Fatalf("message %d is %s", i+1, payload)
		}
	}
	if len(taken) != 100 || status.Deliveries.Delivered != 100 {
		t.Errorf("%d taken, %d delivered, want 100", len(taken), status.Deliveries.Delivered)
	}
	if taken, _, _ := replay(t, e, Query{State: StateUnreplayed}, nil); len(taken) != 0 {
		t.Errorf("the second replay has sent %d", len(taken))
	}
	put(t, s, numbered(101, 1)...)
	if taken, _, _ := replay(t, e, Query{State: StateUnreplayed}, nil); !slices.Equal(taken, []string{"101"}) {
		t.Errorf("the third replay has sent %s", taken)
	}
	if taken, _, _ := replay(t, e, Query{After: 99}, nil); !slices.Equal(taken, []string{"100", "101"}) {
		t.Errorf("a replay of what was replayed has sent %s", taken)
	}
}

// TestReplayKeepsWhatFails checks which outcomes mark an item.
func TestReplayKeepsWhatFails(t *testing.T) {
	s := open(t, nil)
	put(t, s, numbered(1, 4)...)
	lost := itemOf("x", 0)
	lost.Payload = []byte("lost")
	put(t, s, lost)
	put(t, s, numbered(6, 1)...)
	e := edit(t, s)
	taken, source, status := replay(t, e, Query{State: StateUnreplayed}, func(m *message.Message) ([]*message.Message, error) {
		switch string(m.Payload) {
		case "2":
			return nil, feed.Filter("even")
		case "3":
			return nil, feed.Permanent(errors.New("odd"))
		}
		return []*message.Message{m}, nil
	})
	if !slices.Equal(taken, []string{"1", "4", "6"}) {
		t.Errorf("taken %s", taken)
	}
	if a := status.Deliveries; feed.Total(a.Filtered) != 1 || feed.Total(a.Quarantined) != 1 {
		t.Errorf("account %+v", a)
	}
	if lost := source.Unrestored(); lost.Count != 1 || lost.First[0].Error() != "item 5: as told" {
		t.Errorf("not restored: %v", lost)
	}
	if got := chosen(t, s.Reader, Query{State: StateUnreplayed}); got != "3 5" {
		t.Errorf("items %s are left, want 3 5", got)
	}
}

// TestSourceGivesBack ends a subscription with unsettled deliveries: they come
// again, in order, before the rest.
func TestSourceGivesBack(t *testing.T) {
	s := open(t, nil)
	put(t, s, numbered(1, 10)...)
	source := NewSource(edit(t, s).Replay("r", ""), Query{State: StateUnreplayed}, restoreReason)
	sub, err := source.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	ds, err := sub.Receive(t.Context(), nil, 6)
	if err != nil || len(ds) != 6 {
		t.Fatalf("%d deliveries, error %v", len(ds), err)
	}
	if err := sub.Settle(t.Context(), []feed.Settlement{{Tag: ds[1].Tag, Outcome: feed.Delivered}, {Tag: ds[4].Tag, Outcome: feed.Delivered}}); err != nil {
		t.Fatal(err)
	}
	if o, err := sub.(feed.Describer).Describe(ds[0].Tag); err != nil || string(o.Payload) != "1" {
		t.Errorf("described %s, error %v", o.Payload, err)
	}
	if _, err := sub.(feed.Describer).Describe(ds[1].Tag); err == nil {
		t.Error("a settled delivery was described")
	}
	if err := sub.Settle(t.Context(), []feed.Settlement{{Tag: ds[1].Tag, Outcome: feed.Delivered}}); err == nil {
		t.Error("a delivery was settled twice")
	}
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	if sub, err = source.SubscribeBatch(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		ds, err := sub.Receive(t.Context(), nil, 3)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			got = append(got, string(d.Message.Payload))
		}
	}
	if want := []string{"1", "3", "4", "6", "7", "8", "9", "10"}; !slices.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestPlainSubscription acks one message, nacks the next, which comes again,
// and leaves it.
func TestPlainSubscription(t *testing.T) {
	s := open(t, nil)
	put(t, s, numbered(1, 3)...)
	source := NewSource(edit(t, s).Replay("r", ""), Query{State: StateUnreplayed}, restoreReason)
	messages, err := source.Subscribe(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	(<-messages).Ack()
	(<-messages).Nack()
	if m := <-messages; string(m.Payload) != "2" {
		t.Errorf("after a nack of 2 comes %s", m.Payload)
	}
	for range 2 {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}
	if m, ok := <-messages; ok {
		t.Errorf("%s comes after Close", m.Payload)
	}
	if got := chosen(t, s.Reader, Query{State: StateUnreplayed}); got != "2 3" {
		t.Errorf("items %s are left, want 2 3", got)
	}
}

// TestReplayStopped ends a replay in its middle: what was delivered is marked,
// and the next one goes on from there.
func TestReplayStopped(t *testing.T) {
	s := open(t, nil)
	put(t, s, numbered(1, 100)...)
	e := edit(t, s)
	ctx, stop := context.WithCancel(t.Context())
	var taken []string
	sink := &feedtest.Sink{}
	sink.Take = func(context.Context, *feed.Batch) (int, error) {
		if len(sink.Taken()) >= 40 {
			stop()
		}
		return 0, nil
	}
	source := NewSource(e.Replay("route r", "--all"), Query{State: StateUnreplayed}, restoreReason)
	f, err := feed.New(feed.Options{}, feed.Route{Name: "r", Source: source, Sink: sink, Batch: feed.BatchLimits{MaxMessages: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}
	first := sink.Taken()
	if len(first) == 0 || len(first) == 100 {
		t.Fatalf("%d taken: the replay was not stopped in its middle", len(first))
	}
	taken = append(taken, first...)
	rest, _, _ := replay(t, e, Query{State: StateUnreplayed}, nil)
	if taken = append(taken, rest...); len(taken) != 100 || taken[0] != "1" || taken[99] != "100" {
		t.Errorf("%d taken in both together, want each of 100 once", len(taken))
	}
}

// TestReplayThatCannotMark checks that a replay ends when what it has sent cannot
// be marked: it sends nothing twice, and tells how many are not marked.
func TestReplayThatCannotMark(t *testing.T) {
	s := open(t, nil)
	put(t, s, numbered(1, 100)...)
	refuseAt(t, s, "UPDATE", 35)
	e := edit(t, s)
	e.waits = []time.Duration{time.Millisecond, time.Millisecond}
	taken, source, status := replay(t, e, Query{State: StateUnreplayed}, nil)
	unmarked, err := source.Unmarked()
	if err == nil || !strings.Contains(err.Error(), "as told") || unmarked == 0 {
		t.Errorf("%d not marked, error %v", unmarked, err)
	}
	if delivered := status.Deliveries.Delivered; delivered != uint64(len(taken)) || len(taken) < 35 || len(taken) == 100 {
		t.Errorf("%d taken, %d delivered", len(taken), delivered)
	}
	counts, err := s.CountByRoute(t.Context(), Query{State: StateReplayed})
	if err != nil || len(counts) != 1 || counts[0].Messages != int64(len(taken))-unmarked {
		t.Errorf("marked %+v, error %v: want all but %d of the %d that were taken", counts, err, unmarked, len(taken))
	}
	marked := counts[0].Messages
	if _, err := s.conn.db.Exec(`DROP TRIGGER refuse`); err != nil {
		t.Fatal(err)
	}
	rest, _, _ := replay(t, e, Query{State: StateUnreplayed}, nil)
	if len(rest) != 100-int(marked) || rest[0] != fmt.Sprint(marked+1) {
		t.Errorf("the next replay has sent %d from %s", len(rest), rest[0])
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 2 || audit[1].Messages != marked || audit[0].Messages != 100-marked {
		t.Errorf("audit %+v, error %v", audit, err)
	}
}
