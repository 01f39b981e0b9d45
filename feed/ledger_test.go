package feed_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// heard is a ledger in memory.
type heard struct {
	mu    sync.Mutex
	hop   feed.Hop
	ended []feed.Ended
}

func (h *heard) Record(hop *feed.Hop, ended []feed.Ended) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hop = *hop
	for _, e := range ended {
		e.Payload, e.DeliveryPayload = slices.Clone(e.Payload), slices.Clone(e.DeliveryPayload)
		h.ended = append(h.ended, e)
	}
}

// said returns what it heard, in a line each.
func (h *heard) said() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var lines []string
	for _, e := range h.ended {
		lines = append(lines, fmt.Sprintf("%s of %s: %d %q %v", e.Payload, e.DeliveryPayload, e.Outcome, e.Reason, e.Places))
	}
	return lines
}

// changing filters and condemns some messages, and makes two of each other one, with
// another payload, id and topic.
var changing = []feed.Transform{{Name: "change", Func: func(m *message.Message) ([]*message.Message, error) {
	switch text := string(m.Payload); {
	case strings.HasSuffix(text, "drop"):
		return nil, feed.Filter("unwanted")
	case strings.HasSuffix(text, "bad"):
		return nil, feed.Permanent(errors.New("malformed\nwith a stack"))
	default:
		m.Payload, m.UUID = []byte(text+"/1"), "first"
		feed.SetTopic(m, "changed")
		return []*message.Message{m, message.NewMessage("second", []byte(text+"/2"))}, nil
	}
}}}

func TestLedgerHearsOfEachMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, ledger := &feedtest.Queue{}, &heard{}
		q.Put("a:1", "a:drop", "a:bad", "a:2")
		q.End()
		busy := 2
		placing := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			for i, m := range b.Messages {
				b.Placed(i, feed.Place{Object: "object", Position: int64(m.Payload[2] - '0')})
			}
			if busy--; busy >= 0 {
				return 0, errors.New("the answer was lost")
			}
			return len(b.Messages), nil
		}}
		r := start(t, feed.Options{Name: "line", Ledger: ledger, Quarantine: &feedtest.Quarantine{}}, feed.Route{
			Source: q, Transforms: changing, Sink: feed.All(&feedtest.Sink{}, placing), From: "here", To: "there", SourceName: "queue", SinkName: "both",
		})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`a:drop of a:drop: 2 "unwanted" []`,
			`a:bad of a:bad: 3 "transform change: malformed" []`,
			`a:1/1 of a:1: 1 "" [{object 1}]`,
			`a:1/2 of a:1: 1 "" [{object 1}]`,
			`a:2/1 of a:2: 1 "" [{object 2}]`,
			`a:2/2 of a:2: 1 "" [{object 2}]`,
		}
		got := ledger.said()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("the ledger heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if want := (feed.Hop{Feed: "line", Route: "telemetry", Source: "queue", Sink: "both", From: "here", To: "there"}); ledger.hop != want {
			t.Errorf("hop %+v, want %+v", ledger.hop, want)
		}
		for _, e := range ledger.ended {
			if e.Received.IsZero() || e.Received.Sub(e.Done) > time.Microsecond || e.DeliveryID == "first" || e.DeliveryTopic == "changed" {
				t.Errorf("%+v", e)
			}
			if strings.HasSuffix(string(e.Payload), "/1") && (e.ID != "first" || e.Topic != "changed") {
				t.Errorf("%+v", e)
			}
		}
	})
}

// goesAway is how a sink takes batches that is away for a while, after its second.
func goesAway(why string) func(context.Context, *feed.Batch) (int, error) {
	calls := 0
	return func(_ context.Context, b *feed.Batch) (int, error) {
		if calls++; calls > 2 && calls < 200 {
			return min(len(b.Messages), calls%2), errors.New(why)
		}
		return len(b.Messages), nil
	}
}

// TestLedgerAgreesWithTheAccount has a sink that goes away: what the ledger heard
// is what the accounts count, given back or not.
func TestLedgerAgreesWithTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, ledger := &feedtest.Queue{Window: 100}, &heard{}
		q.Put(numbered(100, "a", "b")...)
		q.End()
		sink := &feedtest.Sink{Take: goesAway("busy")}
		r := start(t, feed.Options{Ledger: ledger}, feed.Route{Source: q, Sink: sink, Transforms: changing, Batch: feed.BatchLimits{MaxMessages: 16}, Retry: feed.RetryPolicy{GiveBackAfter: time.Second}})
		time.Sleep(10 * time.Second) // of fake time
		q.Break()
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		s := r.status()
		got := map[feed.Outcome]uint64{}
		for _, e := range ledger.ended {
			got[e.Outcome]++
			if e.Outcome == feed.Returned && s.Produced.Returned[e.Reason]+s.Deliveries.Returned[e.Reason] == 0 {
				t.Errorf("returned: %q, which the accounts do not know", e.Reason)
			}
		}
		returned := got[feed.Returned]
		delete(got, feed.Returned)
		if want := map[feed.Outcome]uint64{feed.Delivered: s.Produced.Delivered}; !maps.Equal(got, want) {
			t.Errorf("the ledger heard %v, the account is %v", got, want)
		}
		if least, most := feed.Total(s.Produced.Returned), feed.Total(s.Produced.Returned)+feed.Total(s.Deliveries.Returned); returned <= least || returned > most {
			t.Errorf("the ledger heard of %d that were given back, the account of %d messages and %d deliveries", returned, least, most-least)
		}
	})
}
