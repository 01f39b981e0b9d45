package feed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// running is a feed of one route, run in the background of a synctest bubble.
type running struct {
	t      *testing.T
	feed   *feed.Feed
	cancel context.CancelFunc
	ended  chan error
}

func start(t *testing.T, opts feed.Options, r feed.Route) *running {
	t.Helper()
	if r.Name == "" {
		r.Name = "telemetry"
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	f, err := feed.New(opts, r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	run := &running{t: t, feed: f, cancel: cancel, ended: make(chan error, 1)}
	go func() { run.ended <- f.Run(ctx) }()
	return run
}

func (r *running) status() feed.RouteStatus {
	r.t.Helper()
	s := r.feed.Status().Routes[0]
	if err := s.Deliveries.Check(); err != nil {
		r.t.Errorf("deliveries: %v", err)
	}
	if err := s.Produced.Check(); err != nil {
		r.t.Errorf("produced: %v", err)
	}
	return s
}

// wait waits until the feed ends by itself.
func (r *running) wait() error {
	r.t.Helper()
	err := <-r.ended
	r.cancel()
	s := r.status()
	if s.Deliveries.InFlight != 0 || s.Produced.InFlight != 0 {
		r.t.Errorf("in flight after the end: %d deliveries, %d messages", s.Deliveries.InFlight, s.Produced.InFlight)
	}
	return err
}

func (r *running) stop() error {
	r.t.Helper()
	r.cancel()
	return r.wait()
}

func numbered(n int, keys ...string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s:%05d", keys[i%len(keys)], i)
	}
	return out
}

func TestRouteDeliversInOrderAndSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, sink := &feedtest.Queue{Window: 100}, &feedtest.Sink{}
		want := numbered(1000, "a", "b", "c")
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Batch: feed.BatchLimits{MaxMessages: 64}})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if got := sink.Taken(); !slices.Equal(got, want) {
			t.Errorf("sink took %d messages, not the %d that were put in, in order", len(got), len(want))
		}
		if n := len(q.Settled()); n != len(want) {
			t.Errorf("%d deliveries settled, want %d", n, len(want))
		}
		if err := errors.Join(q.Misuse(), sink.Misuse()); err != nil {
			t.Error(err)
		}
		if s := r.status(); s.Deliveries.Delivered != 1000 || s.Produced.Delivered != 1000 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestBatchesGrowWhileTheSinkIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		proceed := make(chan struct{})
		sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			<-proceed
			return len(b.Messages), nil
		}}
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink})
		q.Put("a")
		synctest.Wait() // the first message is alone with the sink
		q.Put(numbered(50, "b")...)
		synctest.Wait()
		if s := r.status(); s.Deliveries.InFlight != 1 {
			t.Errorf("in flight %d while the first batch is written, want 1", s.Deliveries.InFlight)
		}
		close(proceed)
		synctest.Wait()
		if got := sink.Batches(); len(got) != 2 || len(got[0]) != 1 || len(got[1]) != 50 {
			t.Errorf("batches %v, want one of 1 and one of 50", got)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestBatchLimits(t *testing.T) {
	sizes := func(batches [][]string) (n []int) {
		for _, b := range batches {
			n = append(n, len(b))
		}
		return n
	}
	for _, tt := range []struct {
		name   string
		limits feed.BatchLimits
		want   []int
	}{
		{"messages", feed.BatchLimits{MaxMessages: 4, MaxDelay: time.Minute}, []int{4, 4, 2}},
		{"bytes", feed.BatchLimits{MaxBytes: 30, MaxDelay: time.Minute}, []int{5, 5}},
		{"delay", feed.BatchLimits{MaxDelay: time.Minute}, []int{10}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, sink := &feedtest.Queue{}, &feedtest.Sink{}
				r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Batch: tt.limits})
				synctest.Wait()
				begin := time.Now()
				q.Put(numbered(10, "")...) // 6 bytes each
				if err := sink.Wait(t.Context(), 10); err != nil {
					t.Fatal(err)
				}
				if got := sizes(sink.Batches()); !slices.Equal(got, tt.want) {
					t.Errorf("batches of %v, want %v", got, tt.want)
				}
				if d := time.Since(begin); d > time.Minute {
					t.Errorf("delayed %v", d)
				}
				if err := r.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestUnknownOutcomeIsSentAgainInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		tries := 0
		sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			if tries++; tries <= 2 {
				return len(b.Messages) / 2, errors.New("connection reset")
			}
			return len(b.Messages), nil
		}}
		want := numbered(10, "a")
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if first := firsts(sink.Taken()); !slices.Equal(first, want) {
			t.Errorf("first occurrences %v, want %v", first, want)
		}
		if s := r.status(); s.Retries != 20 || s.Reordered != 0 {
			t.Errorf("%d retries, %d reordered; want 20, 0", s.Retries, s.Reordered)
		}
	})
}

// firsts drops repetitions.
func firsts(all []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// failing returns a Take that fails messages with the given payloads, each as
// often as said, with what fail returns.
func failing(times map[string]int, fail func(payload string) error) func(context.Context, *feed.Batch) (int, error) {
	return func(_ context.Context, b *feed.Batch) (int, error) {
		failed := &feed.BatchError{}
		for i, m := range b.Messages {
			if p := string(m.Payload); times[p] > 0 {
				times[p]--
				failed.Add(i, fail(p))
			}
		}
		return 0, failed.ErrorOrNil()
	}
}

func TestOnlyTheFailedAreSentAgainAndReorderedIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		sink := &feedtest.Sink{Take: failing(map[string]int{"a:00001": 2, "b:00009": 1}, func(string) error { return errors.New("quota exceeded") })}
		want := []string{"a:00000", "a:00001", "b:00002", "a:00003", "b:00009"}
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		got := sink.Taken()
		if len(got) != len(want) || got[len(got)-1] != "a:00001" && got[len(got)-2] != "a:00001" {
			t.Errorf("taken %v: every message once, the failed one late", got)
		}
		if s := r.status(); s.Reordered != 1 {
			t.Errorf("%d reordered, want 1: only a:00001 went after a later one of its key", s.Reordered)
		}
	})
}

func TestOrderKeyIsStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		sink := &feedtest.Sink{Take: failing(map[string]int{"a:00000": 5}, func(string) error { return errors.New("refused") })}
		want := numbered(30, "a", "b", "c")
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Order: feed.OrderKey})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		byKey := map[string][]string{}
		for _, p := range sink.Taken() {
			byKey[p[:1]] = append(byKey[p[:1]], p)
		}
		for k, got := range byKey {
			if len(got) != 10 || !slices.IsSorted(got) {
				t.Errorf("key %s: %v, want 10 in order", k, got)
			}
		}
		for _, b := range sink.Batches() {
			keys := map[string]bool{}
			for _, p := range b {
				if keys[p[:1]] {
					t.Errorf("batch %v has two messages of key %s", b, p[:1])
				}
				keys[p[:1]] = true
			}
		}
		if got := sink.Taken(); got[len(got)-1][:1] != "a" {
			t.Error("the other keys waited for the failing one")
		}
		if s := r.status(); s.Reordered != 0 {
			t.Errorf("%d reordered under order key", s.Reordered)
		}
	})
}

func TestOrderKeyBoundsWhatIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		var healed atomic.Bool
		sink := &feedtest.Sink{}
		sink.Take = func(_ context.Context, b *feed.Batch) (int, error) {
			failed := &feed.BatchError{}
			for i, m := range b.Messages {
				if feed.Topic(m) == "a" && !healed.Load() {
					failed.Add(i, errors.New("refused"))
				}
			}
			return 0, failed.ErrorOrNil()
		}
		r := start(t, feed.Options{}, feed.Route{
			Source: q, Sink: sink, Order: feed.OrderKey,
			Batch: feed.BatchLimits{MaxMessages: 10}, Park: feed.ParkLimits{PerKey: 20, PerRoute: 50},
		})
		q.Put(numbered(400, "a", "b")...)
		time.Sleep(20 * time.Second) // of the bubble's clock
		if s := r.status(); s.Parked < 20 || s.Parked > 30 || s.Deliveries.InFlight > 60 {
			t.Errorf("parked %d, in flight %d: want the bound of 20 plus at most a batch", s.Parked, s.Deliveries.InFlight)
		}
		healed.Store(true)
		if err := sink.Wait(t.Context(), 400); err != nil {
			t.Fatal(err)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestOrderNonePassesFailingMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		sink := &feedtest.Sink{Take: failing(map[string]int{"a:00000": 4}, func(string) error { return errors.New("refused") })}
		want := numbered(10, "a")
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Order: feed.OrderNone})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if got := sink.Taken(); len(got) != 10 || got[9] != "a:00000" {
			t.Errorf("taken %v, want a:00000 last", got)
		}
		if s := r.status(); s.Reordered != 0 {
			t.Errorf("%d reordered under order none", s.Reordered)
		}
	})
}

func TestPermanentFailuresGoToTheQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, box := &feedtest.Queue{}, &feedtest.Quarantine{}
		sink := &feedtest.Sink{Take: failing(map[string]int{"a:00003": 99}, func(string) error { return feed.Permanent(errors.New("not authorized")) })}
		want := numbered(6, "a")
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{Quarantine: box}, feed.Route{
			Source: q, Sink: sink, SinkName: "mqtt",
			Transforms: []feed.Transform{{Name: "check", Func: func(m *message.Message) ([]*message.Message, error) {
				switch string(m.Payload) {
				case "a:00001":
					return nil, feed.Permanent(errors.New("malformed"))
				case "a:00002":
					return nil, feed.Filter("heartbeat")
				case "a:00004":
					panic("a bug")
				case "a:00005":
					return nil, nil
				}
				m.Payload = append(message.Payload("seen "), m.Payload...)
				m.Payload = m.Payload[5:]
				return []*message.Message{m}, nil
			}}},
		})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if got := sink.Taken(); !slices.Equal(got, []string{"a:00000"}) {
			t.Errorf("taken %v", got)
		}
		wantItems := []string{
			"check a:00001: transform check: malformed",
			"check a:00004: transform check: transform panicked at PLACE: a bug",
			"check a:00005: transform check: it yielded no message and no reason: return feed.Filter(reason) to drop one",
			"mqtt a:00003: not authorized",
		}
		var got []string
		for _, i := range box.Items() {
			reason, _, _ := strings.Cut(i.Reason, "\n")
			reason = regexp.MustCompile(`at \S+ \(\S+\):`).ReplaceAllString(reason, "at PLACE:")
			got = append(got, fmt.Sprintf("%s %s: %s", i.Stage, i.Payload, reason))
		}
		slices.Sort(got)
		slices.Sort(wantItems)
		if !slices.Equal(got, wantItems) {
			t.Errorf("quarantine:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wantItems, "\n"))
		}
		s := r.status()
		if s.Deliveries.Delivered != 1 || s.Deliveries.Filtered["heartbeat"] != 1 || s.Deliveries.Quarantined["check"] != 3 || s.Deliveries.Quarantined["mqtt"] != 1 {
			t.Errorf("account %+v", s.Deliveries)
		}
	})
}

func TestFullQuarantinePausesTheRouteAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		var full atomic.Bool
		box := &feedtest.Quarantine{Fail: func() error {
			if full.Load() {
				return errors.New("quarantine is full")
			}
			return nil
		}}
		sink := &feedtest.Sink{Take: failing(map[string]int{"a:00001": 99999}, func(string) error { return feed.Permanent(errors.New("bad")) })}
		r := start(t, feed.Options{Quarantine: box}, feed.Route{Source: q, Sink: sink})
		synctest.Wait()
		full.Store(true)
		q.Put(numbered(5, "a")...)
		time.Sleep(2 * time.Minute)
		if s := r.status(); s.State != feed.StatePaused || !strings.Contains(s.Reason, "quarantine is full") {
			t.Errorf("state %s (%s), want paused because the quarantine is full", s.State, s.Reason)
		}
		if n := q.Unsettled(); n != 0 {
			t.Errorf("%d deliveries held while paused", n)
		}
		if n := q.Len(); n != 1 {
			t.Errorf("%d messages in the queue, want the bad one", n)
		}
		if s := r.status(); s.Deliveries.Returned["quarantine down"] == 0 {
			t.Errorf("returned %v", s.Deliveries.Returned)
		}
		full.Store(false)
		time.Sleep(time.Minute)
		if n := len(box.Items()); n != 1 {
			t.Errorf("%d quarantined, want 1", n)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if n := q.Len(); n != 0 {
			t.Errorf("%d messages left", n)
		}
	})
}

func TestSinkDownGivesBackPausesAndResumesByProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		var down atomic.Bool
		var probes atomic.Int32
		sink := &feedtest.Sink{
			Take: func(_ context.Context, b *feed.Batch) (int, error) {
				if down.Load() {
					return 0, errors.New("connection refused")
				}
				return len(b.Messages), nil
			},
			Check: func(context.Context) error {
				probes.Add(1)
				if down.Load() {
					return errors.New("connection refused")
				}
				return nil
			},
		}
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink})
		want := numbered(200, "a", "b")
		q.Put(want[:100]...)
		synctest.Wait()
		down.Store(true)
		q.Put(want[100:]...)
		time.Sleep(72 * time.Hour) // a weekend
		if s := r.status(); s.State != feed.StatePaused || s.Ready {
			t.Errorf("state %s, want paused and not ready", s.State)
		}
		if q.Unsettled() != 0 || q.Len() != 100 {
			t.Errorf("%d held, %d in the queue; want 0, 100", q.Unsettled(), q.Len())
		}
		if q.Subscriptions() != 1 {
			t.Errorf("subscribed %d times during the outage: each return counts as an attempt", q.Subscriptions())
		}
		if probes.Load() == 0 {
			t.Error("the sink was never probed")
		}
		down.Store(false)
		if err := sink.Wait(t.Context(), 200); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(sink.Taken(), want) {
			t.Error("messages missing, repeated or out of order after the outage")
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if s := r.status(); s.Deliveries.Returned["sink down"] == 0 {
			t.Errorf("returned %v", s.Deliveries.Returned)
		}
	})
}

// A retry may be due later than deliveries are to be given back.
func TestNothingIsHeldForTheNextRetry(t *testing.T) {
	slow := feed.RetryPolicy{InitialDelay: time.Minute, MaxDelay: time.Hour, GiveBackAfter: 10 * time.Second}
	refuse := func(one string) func(context.Context, *feed.Batch) (int, error) {
		return func(_ context.Context, b *feed.Batch) (int, error) {
			failed := &feed.BatchError{}
			for i, m := range b.Messages {
				if one == "" || string(m.Payload) == one {
					failed.Add(i, errors.New("not now"))
				}
			}
			return 0, failed.ErrorOrNil()
		}
	}
	for name, tt := range map[string]struct {
		take    func(context.Context, *feed.Batch) (int, error)
		maxHold time.Duration
	}{
		"sink down":           {take: func(context.Context, *feed.Batch) (int, error) { return 0, errors.New("connection refused") }},
		"each message fails":  {take: refuse("")},
		"one fails, and hold": {take: refuse("a:00000"), maxHold: 12 * time.Second},
	} {
		for _, order := range []feed.Order{feed.OrderWire, feed.OrderKey, feed.OrderNone} {
			t.Run(name+", "+string(order), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					q := &feedtest.Queue{}
					var well atomic.Bool
					sink := &feedtest.Sink{Take: func(ctx context.Context, b *feed.Batch) (int, error) {
						if well.Load() {
							return len(b.Messages), nil
						}
						return tt.take(ctx, b)
					}}
					r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Order: order, Retry: slow, MaxHold: tt.maxHold})
					synctest.Wait()
					q.Put(numbered(10, "a", "b")...)
					time.Sleep(13 * time.Second)
					if s := r.status(); feed.Total(s.Deliveries.Returned) == 0 {
						t.Errorf("%s, %d held: nothing is given back", s.State, q.Unsettled())
					}
					well.Store(true)
					if err := sink.Wait(t.Context(), 10); err != nil {
						t.Fatal(err)
					}
					if err := r.stop(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

func TestConnectionFatalMessageIsSentAloneThenQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, box := &feedtest.Queue{}, &feedtest.Quarantine{}
		poison := "a:00002"
		sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			failed := &feed.BatchError{}
			for i, m := range b.Messages {
				if string(m.Payload) == poison {
					failed.Add(i, feed.ConnectionFatal(errors.New("disconnected: packet too large")))
					for j := i + 1; j < len(b.Messages); j++ {
						failed.Add(j, errors.New("connection lost"))
					}
					break
				}
			}
			return 0, failed.ErrorOrNil()
		}}
		want := numbered(6, "a")
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{Quarantine: box}, feed.Route{Source: q, Sink: sink})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if got := sink.Taken(); !slices.Equal(got, slices.DeleteFunc(slices.Clone(want), func(s string) bool { return s == poison })) {
			t.Errorf("taken %v", got)
		}
		if items := box.Items(); len(items) != 1 || string(items[0].Payload) != poison {
			t.Errorf("quarantine %v", items)
		}
	})
}

func TestMerelyBrokenConnectionsCondemnNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, box := &feedtest.Queue{}, &feedtest.Quarantine{}
		tries := 0
		sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			if tries++; tries < 8 {
				return 0, errors.New("connection lost")
			}
			return 0, (*feed.BatchError)(nil).ErrorOrNil()
		}}
		q.Put("a")
		q.End()
		r := start(t, feed.Options{Quarantine: box}, feed.Route{Source: q, Sink: sink})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if len(box.Items()) != 0 || len(sink.Taken()) == 0 {
			t.Errorf("quarantined %d, taken %v", len(box.Items()), sink.Taken())
		}
	})
}

func TestTransientTransformFailureHoldsTheSourceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, sink := &feedtest.Queue{}, &feedtest.Sink{}
		fails := 3
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Transforms: []feed.Transform{
			{Name: "mark", Func: func(m *message.Message) ([]*message.Message, error) {
				m.Payload = append(message.Payload("x"), m.Payload...)
				return []*message.Message{m, {Payload: append(message.Payload("y"), m.Payload...)}}, nil
			}},
			{Name: "lookup", Func: func(m *message.Message) ([]*message.Message, error) {
				if string(m.Payload) == "yx2" && fails > 0 {
					fails--
					return nil, errors.New("table not loaded")
				}
				return []*message.Message{m}, nil
			}},
		}})
		q.Put("1", "2", "3")
		q.End()
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if got, want := sink.Taken(), []string{"x1", "yx1", "x2", "yx2", "x3", "yx3"}; !slices.Equal(got, want) {
			t.Errorf("taken %v, want %v", got, want)
		}
		if s := r.status(); s.Deliveries.Delivered != 3 || s.Produced.Delivered != 6 {
			t.Errorf("accounts %+v %+v", s.Deliveries, s.Produced)
		}
	})
}

func TestSourceConnectionLossIsSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{Window: 50}
		sink := &feedtest.Sink{}
		calls := 0
		sink.Take = func(_ context.Context, b *feed.Batch) (int, error) {
			if calls++; calls%5 == 0 {
				q.Break() // while the batch is being written
			}
			return len(b.Messages), nil
		}
		want := numbered(1000, "a", "b")
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Batch: feed.BatchLimits{MaxMessages: 20}})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(firsts(sink.Taken()), want) {
			t.Error("first occurrences are not the messages in order")
		}
		s := r.status()
		if s.SettleLost == 0 || s.Redelivered == 0 {
			t.Errorf("settleLost %d, redelivered %d: the losses were not counted", s.SettleLost, s.Redelivered)
		}
		if dup := len(sink.Taken()) - 1000; uint64(dup) != s.SettleLost {
			t.Errorf("%d duplicates, but %d settlements lost", dup, s.SettleLost)
		}
	})
}

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		sink := &feedtest.Sink{Take: func(ctx context.Context, b *feed.Batch) (int, error) {
			select {
			case <-time.After(5 * time.Second):
				return len(b.Messages), nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}}
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink})
		q.Put(numbered(10, "a")...)
		synctest.Wait()
		q.Put(numbered(10, "b")...)
		begin := time.Now()
		if err := r.stop(); err != nil {
			t.Errorf("drain: %v", err)
		}
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("drained in %v, want as long as the batch in flight", d)
		}
		if n := len(sink.Taken()); n != 10 || q.Len() != 10 {
			t.Errorf("%d taken, %d left; want the 10 in flight, and the rest left alone", n, q.Len())
		}
	})
}

func TestDrainFlushesAGatheringBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, sink := &feedtest.Queue{}, &feedtest.Sink{}
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Batch: feed.BatchLimits{MaxDelay: time.Hour}, MaxHold: 2 * time.Hour})
		q.Put("a", "b")
		synctest.Wait()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if got := sink.Taken(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("taken %v", got)
		}
	})
}

func TestDrainDeadlineGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		sink := &feedtest.Sink{Take: func(ctx context.Context, _ *feed.Batch) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}}
		r := start(t, feed.Options{DrainTimeout: 7 * time.Second}, feed.Route{Source: q, Sink: sink})
		q.Put("a", "b")
		synctest.Wait()
		begin := time.Now()
		if err := r.stop(); !errors.Is(err, feed.ErrDrainDeadline) {
			t.Errorf("run: %v, want ErrDrainDeadline", err)
		}
		if d := time.Since(begin); d != 7*time.Second {
			t.Errorf("stopped after %v, want 7s", d)
		}
		if q.Len() != 2 {
			t.Errorf("%d messages left, want both", q.Len())
		}
	})
}

func TestMisconfiguredSourceEndsTheFeedAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		q.Refuse(&feed.ConfigError{Key: "queue", Problem: "is a classic queue"})
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: &feedtest.Sink{}})
		if err := r.wait(); err == nil || !strings.Contains(err.Error(), "is a classic queue") {
			t.Errorf("run: %v", err)
		}
	})
}

func TestUnreachableSourceIsTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, sink := &feedtest.Queue{}, &feedtest.Sink{}
		q.Put("a")
		q.Refuse(errors.New("connection refused"))
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink})
		time.Sleep(48 * time.Hour)
		if s := r.status(); s.State != feed.StateStarting || !strings.Contains(s.Reason, "connection refused") {
			t.Errorf("state %s (%s)", s.State, s.Reason)
		}
		q.Refuse(nil)
		if err := sink.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestDeliveriesAreNotHeldNearTheAckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		sink := &feedtest.Sink{Take: failing(map[string]int{"a:00000": 1 << 30}, func(string) error { return errors.New("refused") })}
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Order: feed.OrderKey, MaxHold: 10 * time.Minute})
		q.Put("a:00000")
		for i := range 25 * 60 { // other keys go on meanwhile
			q.Put(fmt.Sprintf("b:%05d", i))
			time.Sleep(time.Second)
		}
		s := r.status()
		if s.Deliveries.Returned["held for long"] != 2 || s.Deliveries.Delivered < 1400 {
			t.Errorf("returned %v, delivered %d, want the parked one given back after each 10 minutes, and nothing else", s.Deliveries.Returned, s.Deliveries.Delivered)
		}
		if err := r.stop(); err != nil && !errors.Is(err, feed.ErrDrainDeadline) {
			t.Error(err)
		}
	})
}

// An outage that a sink reports message by message is an outage all the same.
func TestOutageReportedByMessagePausesUnderEveryOrder(t *testing.T) {
	for _, order := range []feed.Order{feed.OrderWire, feed.OrderKey, feed.OrderNone} {
		t.Run(string(order), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				check := func(context.Context) error {
					if down.Load() {
						return errors.New("connection refused")
					}
					return nil
				}
				q := &feedtest.Queue{}
				sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
					failed := &feed.BatchError{}
					for i := range b.Messages {
						if down.Load() {
							failed.Add(i, errors.New("connection refused"))
						}
					}
					return 0, failed.ErrorOrNil()
				}, Check: check}
				r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Order: order})
				synctest.Wait() // the first probe succeeds
				down.Store(true)
				want := numbered(50, "a", "b", "c")
				q.Put(want...)
				time.Sleep(10 * time.Second)
				if s := r.status(); s.Ready || s.State != feed.StateRetrying {
					t.Errorf("state %s after 10s of an outage, want retrying and not ready", s.State)
				}
				time.Sleep(5 * time.Minute)
				if s := r.status(); s.State != feed.StatePaused || q.Unsettled() != 0 {
					t.Errorf("state %s with %d held, want paused with nothing held", s.State, q.Unsettled())
				}
				down.Store(false)
				if err := sink.Wait(t.Context(), 50); err != nil {
					t.Fatal(err)
				}
				if err := r.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSuspectsOfAnEndedConnectionWaitLikeOthers(t *testing.T) {
	for _, order := range []feed.Order{feed.OrderWire, feed.OrderKey, feed.OrderNone} {
		t.Run(string(order), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &feedtest.Queue{}
				var calls atomic.Int32
				sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
					calls.Add(1)
					failed := &feed.BatchError{}
					for i, m := range b.Messages {
						if string(m.Payload) == "a:00000" {
							if calls.Load() <= 2 {
								failed.Add(i, feed.ConnectionFatal(errors.New("disconnected: packet too large")))
							} else {
								failed.Add(i, errors.New("quota exceeded"))
							}
						}
					}
					return 0, failed.ErrorOrNil()
				}}
				r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Order: order})
				q.Put(numbered(20, "a", "b")...)
				time.Sleep(20 * time.Second)
				if n := calls.Load(); n > 60 {
					t.Errorf("%d calls within 20s", n)
				}
				if n := len(firsts(sink.Taken())); order != feed.OrderWire && n < 10 {
					t.Errorf("%d messages taken: the others waited for the suspect", n)
				}
				if err := r.stop(); err != nil && !errors.Is(err, feed.ErrDrainDeadline) {
					t.Error(err)
				}
			})
		})
	}
}

func TestPartialProgressIsNotRetriedInAHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		var calls atomic.Int32
		sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			calls.Add(1)
			failed := &feed.BatchError{}
			for i := 1; i < len(b.Messages); i++ {
				failed.Add(i, errors.New("quota exceeded"))
			}
			return 0, failed.ErrorOrNil()
		}}
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink})
		q.Put(numbered(1000, "a")...)
		time.Sleep(10 * time.Second)
		if n := calls.Load(); n > 250 {
			t.Errorf("%d calls within 10s", n)
		}
		if err := r.stop(); err != nil && !errors.Is(err, feed.ErrDrainDeadline) {
			t.Error(err)
		}
	})
}

func TestAParkedKeyIsTriedWhileABatchGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		sink := &feedtest.Sink{Take: failing(map[string]int{"a:00000": 1}, func(string) error { return errors.New("refused") })}
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, Order: feed.OrderKey, Batch: feed.BatchLimits{MaxDelay: time.Minute}})
		q.Put("a:00000", "b:00001")
		time.Sleep(61 * time.Second) // the first batch has gone, a is parked
		q.Put("b:00002")
		begin := time.Now()
		if err := sink.Wait(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("the parked key waited %v for the batch to fill", d)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAStageThatIgnoresTheDeadlineDoesNotKeepTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		release := make(chan struct{})
		sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			<-release
			return len(b.Messages), nil
		}}
		r := start(t, feed.Options{DrainTimeout: 10 * time.Second}, feed.Route{Source: q, Sink: sink})
		q.Put("a")
		synctest.Wait()
		begin := time.Now()
		r.cancel()
		if err := <-r.ended; !errors.Is(err, feed.ErrDrainDeadline) {
			t.Errorf("run: %v, want ErrDrainDeadline", err)
		}
		if d := time.Since(begin); d != 15*time.Second {
			t.Errorf("returned after %v, want the drain timeout and the grace", d)
		}
		close(release)
		synctest.Wait()
	})
}

func TestASinkThatHangsIsLeftBeforeTheAckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		sink := &feedtest.Sink{Take: func(ctx context.Context, _ *feed.Batch) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}}
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: sink, MaxHold: time.Minute})
		q.Put("a")
		time.Sleep(65 * time.Second)
		if s := r.status(); feed.Total(s.Deliveries.Returned) == 0 {
			t.Errorf("nothing was given back: %+v", s)
		}
		if err := r.stop(); err != nil && !errors.Is(err, feed.ErrDrainDeadline) {
			t.Error(err)
		}
	})
}

// A broker that takes the subscription and then ends it at once must not be
// asked again without a pause.
func TestAFailingSubscriptionIsNotRenewedInAHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{OnSettle: func(feedtest.Settled) error { return errors.New("channel closed") }}
		q.Put("a")
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: &feedtest.Sink{}})
		time.Sleep(time.Hour)
		if n := q.Subscriptions(); n > 3600/5+20 {
			t.Errorf("subscribed %d times within an hour, with a longest pause of 10s", n)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
