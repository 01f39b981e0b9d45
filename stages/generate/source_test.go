package generate

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

type fataler interface {
	Helper()
	Fatal(...any)
}

func newSource(t fataler, edit func(*Config)) *Source {
	t.Helper()
	c := DefaultConfig()
	c.Rate, c.Devices = 0, 3
	edit(&c)
	s, err := NewSource(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// model is a consumer that settles, closes and subscribes as it likes.
type model struct {
	s    *Source
	sub  feed.Subscription
	tags []uint64 // unsettled, in order
	uuid map[uint64]string
}

// TestComesAgainInOrder checks against a model that every reading is settled
// once, and that all come in order, whatever is given back.
func TestComesAgainInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := int64(rapid.IntRange(1, 60).Draw(t, "count"))
		window := rapid.IntRange(1, 20).Draw(t, "window")
		s := newSource(t, func(c *Config) { c.Count, c.WindowSize = count, window })
		defer s.Close()
		reference := newSource(t, func(c *Config) { c.Count, c.WindowSize = count, 1000 })
		defer reference.Close()
		ctx := context.Background()

		refSub, err := reference.SubscribeBatch(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		all, err := refSub.Receive(ctx, nil, 1000)
		if err != nil || int64(len(all)) != count {
			t.Fatal(len(all), err)
		}
		place := map[string]int{}
		for i, d := range all {
			place[d.Message.UUID] = i
		}

		settled, handedOut := map[string]bool{}, map[string]bool{}
		for int64(len(settled)) < count {
			m := model{s: s, uuid: map[uint64]string{}}
			if m.sub, err = s.SubscribeBatch(ctx, ""); err != nil {
				t.Fatal(err)
			}
			if _, err := s.SubscribeBatch(ctx, ""); err == nil {
				t.Fatal("two subscriptions are open")
			}
			last := -1
			for range rapid.IntRange(1, 8).Draw(t, "steps") {
				if len(m.tags) < window {
					got, err := m.sub.Receive(ctx, nil, rapid.IntRange(1, 10).Draw(t, "max"))
					if errors.Is(err, io.EOF) {
						if len(handedOut) != int(count) {
							t.Fatalf("EOF after %d of %d", len(handedOut), count)
						}
					} else if err != nil {
						t.Fatal(err)
					}
					for _, d := range got {
						id := d.Message.UUID
						if place[id] <= last || settled[id] || d.Redelivered != handedOut[id] {
							t.Fatalf("%s came: place %d after %d, settled %v, redelivered %v", id, place[id], last, settled[id], d.Redelivered)
						}
						if string(d.Message.Payload) == "" || len(d.Message.Metadata) != 3 {
							t.Fatalf("message %+v", d.Message)
						}
						last = place[id]
						handedOut[id] = true
						m.uuid[d.Tag] = id
						m.tags = append(m.tags, d.Tag)
						feed.SetTopic(d.Message, "changed by a transform")
					}
					if len(m.tags) > window {
						t.Fatalf("%d unsettled, window %d", len(m.tags), window)
					}
				}
				var settlements []feed.Settlement
				var left []uint64
				for _, tag := range m.tags {
					if rapid.Bool().Draw(t, "settle") {
						settlements = append(settlements, feed.Settlement{Tag: tag, Outcome: feed.Delivered})
						settled[m.uuid[tag]] = true
					} else {
						left = append(left, tag)
					}
				}
				m.tags = left
				if err := m.sub.Settle(ctx, settlements); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := m.sub.Close(); err != nil {
					t.Fatal(err)
				}
			}
			for _, tag := range m.tags { // it still knows what it had
				if o, err := m.sub.(feed.Describer).Describe(tag); err != nil || len(o.Payload) == 0 || o.Format != "generate" {
					t.Fatalf("describe: %+v, %v", o, err)
				}
			}
		}
	})
}

func TestSettleOfWhatIsNotUnsettled(t *testing.T) {
	s := newSource(t, func(*Config) {})
	defer s.Close()
	u, err := s.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Receive(t.Context(), nil, 2); err != nil {
		t.Fatal(err)
	}
	if err := u.Settle(t.Context(), []feed.Settlement{{Tag: 1, Outcome: feed.Delivered}}); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []uint64{0, 1, 3} {
		if err := u.Settle(t.Context(), []feed.Settlement{{Tag: tag, Outcome: feed.Delivered}}); err == nil {
			t.Errorf("tag %d was settled", tag)
		}
		if _, err := u.(feed.Describer).Describe(tag); err == nil {
			t.Errorf("tag %d was described", tag)
		}
	}
}

func TestWindowBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, func(c *Config) { c.WindowSize = 5 })
		defer s.Close()
		u, err := s.SubscribeBatch(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := u.Receive(t.Context(), nil, 100); err != nil || len(got) != 5 {
			t.Fatal(len(got), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if got, err := u.Receive(ctx, nil, 100); !errors.Is(err, context.DeadlineExceeded) || len(got) != 0 {
			t.Fatalf("%d beyond the window, error %v", len(got), err)
		}
		closed := make(chan error)
		go func() {
			_, err := u.Receive(t.Context(), nil, 100)
			closed <- err
		}()
		synctest.Wait()
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-closed; !errors.Is(err, ErrClosed) {
			t.Errorf("receive while closing: %v", err)
		}
		if err := u.Settle(t.Context(), []feed.Settlement{{Tag: 1, Outcome: feed.Delivered}}); !errors.Is(err, ErrClosed) {
			t.Errorf("settle after close: %v", err)
		}
	})
}

func TestRate(t *testing.T) {
	for _, rate := range []int{1, 3, 7, 1000, 999_983} {
		synctest.Test(t, func(t *testing.T) {
			s := newSource(t, func(c *Config) { c.Rate, c.WindowSize = rate, maxWindow })
			defer s.Close()
			u, err := s.SubscribeBatch(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			start, n := time.Now(), 0
			for n < rate+1 && n < 5000 {
				got, err := u.Receive(t.Context(), nil, 1000)
				if err != nil {
					t.Fatal(err)
				}
				n += len(got)
				due := time.Duration(n-1) * time.Second / time.Duration(rate)
				if elapsed := time.Since(start); elapsed < due || elapsed > due+time.Second/time.Duration(rate)+1 {
					t.Fatalf("rate %d: reading %d after %v, due after %v", rate, n, elapsed, due)
				}
			}
			// What became due while nobody asked is there at once.
			<-time.After(time.Second)
			got, err := u.Receive(t.Context(), nil, 100_000)
			if want := min(rate, 100_000); err != nil || len(got) != want {
				t.Errorf("rate %d: %d piled up in a second, error %v, want %d", rate, len(got), err, want)
			}
		})
	}
}

func TestSubscribe(t *testing.T) {
	s := newSource(t, func(c *Config) { c.Count = 5 })
	defer s.Close()
	messages, err := s.Subscribe(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	nacked := false
	for m := range messages {
		if len(got) == 2 && !nacked {
			nacked = true
			m.Nack()
			continue
		}
		got = append(got, m.UUID)
		m.Ack()
	}
	want := []string{"device0001-1", "device0002-1", "device0003-1", "device0001-2", "device0002-2"}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("message %d is %s, want %s", i, got[i], want[i])
		}
	}
}

// What Subscribe handed out and was not acknowledged comes again.
func TestSubscribeGivesBack(t *testing.T) {
	s := newSource(t, func(*Config) {})
	var first string
	for round := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		messages, err := s.Subscribe(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		m := <-messages
		if round == 0 {
			first = m.UUID
		}
		if m.UUID != first {
			t.Errorf("round %d: %s, want %s", round, m.UUID, first)
		}
		cancel()
		for range messages { // until it is closed
			t.Error("a message after the end")
		}
	}
	messages, err := s.Subscribe(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	held := <-messages
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if held.Context().Err() == nil {
		t.Error("the message's context goes on after Close")
	}
	if _, err := s.SubscribeBatch(t.Context(), ""); !errors.Is(err, ErrClosed) {
		t.Errorf("subscribe after close: %v", err)
	}
	if _, err := s.Subscribe(t.Context(), ""); !errors.Is(err, ErrClosed) {
		t.Errorf("subscribe after close: %v", err)
	}
}

func TestFactory(t *testing.T) {
	f := Factories()[0]
	c := f.NewConfig()
	s, err := f.Source(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	if w := c.(feed.WindowConfig).Window(); w != 10_000 {
		t.Errorf("window %d", w)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
