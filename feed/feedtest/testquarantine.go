package feedtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// QuarantineUnderTest is a quarantine with ways to look into it. It is a
// [feed.Prober] that tells when it is full.
type QuarantineUnderTest struct {
	// Quarantine is empty, and holds MaxMessages, which is at least 20.
	Quarantine  feed.Quarantine
	MaxMessages int
	// Items returns all that is held, in the order in which it was stored.
	Items func(testing.TB) []feed.QuarantineItem
	// Reopen returns the same quarantine as another process finds it. Nil: it
	// does not outlive its process.
	Reopen func(testing.TB) QuarantineUnderTest
}

// TestQuarantine checks that a quarantine keeps the contract of
// [feed.Quarantine]. open returns an empty one for each test.
func TestQuarantine(t *testing.T, open func(*testing.T) QuarantineUnderTest) {
	for name, test := range map[string]func(*testing.T, QuarantineUnderTest){
		"keeps what came":       quarantineKeeps,
		"keeps the order":       quarantineOrders,
		"takes all or none":     quarantineTakesAll,
		"takes from many":       quarantineTakesFromMany,
		"stores nothing late":   quarantineCanceled,
		"outlives its process":  quarantineOutlives,
		"retains nothing of it": quarantineRetains,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// oddItems have bytes and texts of all kinds.
func oddItems() []feed.QuarantineItem {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	var items []feed.QuarantineItem
	for _, text := range []string{"", "plain", "ümlaut\n", "zero \x00 byte", "not \xff UTF-8", `'"; DROP TABLE`, "base64:AA=="} {
		items = append(items, feed.QuarantineItem{
			Original: feed.Original{Payload: []byte(text), Format: "f" + text, Properties: []byte("p" + text), Origin: "o" + text},
			Route:    "r" + text, Stage: "s" + text, Reason: "why" + text, Time: at,
		})
	}
	return items
}

func sameItem(a, b feed.QuarantineItem) bool {
	return bytes.Equal(a.Payload, b.Payload) && a.Format == b.Format && bytes.Equal(a.Properties, b.Properties) && a.Origin == b.Origin &&
		a.Route == b.Route && a.Stage == b.Stage && a.Reason == b.Reason && a.Time.Equal(b.Time)
}

func (u QuarantineUnderTest) put(t testing.TB, items ...feed.QuarantineItem) {
	t.Helper()
	if err := u.Quarantine.Put(t.Context(), items); err != nil {
		t.Fatalf("put: %v", err)
	}
}

func (u QuarantineUnderTest) demand(t testing.TB, want []feed.QuarantineItem) {
	t.Helper()
	if got := u.Items(t); !slices.EqualFunc(got, want, sameItem) {
		t.Errorf("it holds\n%q, want\n%q", got, want)
	}
}

func quarantineKeeps(t *testing.T, u QuarantineUnderTest) {
	u.put(t, oddItems()...)
	u.demand(t, oddItems())
	if err := u.Quarantine.Put(t.Context(), nil); err != nil {
		t.Errorf("put of nothing: %v", err)
	}
}

func numberedItems(from, n int) []feed.QuarantineItem {
	items := make([]feed.QuarantineItem, n)
	for i := range items {
		items[i] = feed.QuarantineItem{Original: feed.Original{Payload: fmt.Append(nil, from+i)}, Route: "r", Time: time.Unix(1_800_000_000, 0)}
	}
	return items
}

func quarantineOrders(t *testing.T, u QuarantineUnderTest) {
	u.put(t, numberedItems(0, 3)...)
	u.put(t, numberedItems(3, 1)...)
	u.put(t, numberedItems(4, 10)...)
	u.demand(t, numberedItems(0, 14))
}

func quarantineTakesAll(t *testing.T, u QuarantineUnderTest) {
	prober, ok := u.Quarantine.(feed.Prober)
	if !ok {
		t.Fatalf("%T is no feed.Prober", u.Quarantine)
	}
	half := numberedItems(0, u.MaxMessages-1)
	u.put(t, half...)
	if err := prober.Probe(t.Context()); err != nil {
		t.Errorf("probe while there is room: %v", err)
	}
	if err := u.Quarantine.Put(t.Context(), numberedItems(1000, 2)); err == nil {
		t.Error("it took more than it holds")
	}
	u.demand(t, half)
	if err := prober.Probe(t.Context()); err == nil {
		t.Error("the probe succeeds although what was refused does not fit")
	}
	u.put(t, numberedItems(u.MaxMessages-1, 1)...)
	if err := prober.Probe(t.Context()); err == nil {
		t.Error("the probe of a full quarantine succeeds")
	}
	u.demand(t, numberedItems(0, u.MaxMessages))
}

func quarantineTakesFromMany(t *testing.T, u QuarantineUnderTest) {
	var wg sync.WaitGroup
	for g := range 5 {
		wg.Go(func() {
			for i := range 2 {
				if err := u.Quarantine.Put(t.Context(), numberedItems(100*g+10*i, 2)); err != nil {
					t.Errorf("put: %v", err)
				}
			}
		})
	}
	wg.Wait()
	got := u.Items(t)
	if len(got) != 20 {
		t.Fatalf("it holds %d items, want 20", len(got))
	}
	for i := 0; i < len(got); i += 2 { // what is put together stays together
		var a, b int
		if _, err := fmt.Sscan(string(got[i].Payload)+" "+string(got[i+1].Payload), &a, &b); err != nil || b != a+1 {
			t.Errorf("item %s is followed by %s", got[i].Payload, got[i+1].Payload)
		}
	}
}

func quarantineCanceled(t *testing.T, u QuarantineUnderTest) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := u.Quarantine.Put(ctx, numberedItems(0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("put with a context that has ended: %v", err)
	}
	u.put(t, numberedItems(1, 1)...)
	u.demand(t, numberedItems(1, 1))
}

func quarantineOutlives(t *testing.T, u QuarantineUnderTest) {
	u.put(t, numberedItems(0, 5)...)
	if u.Reopen == nil {
		return
	}
	again := u.Reopen(t)
	again.demand(t, numberedItems(0, 5))
	again.put(t, numberedItems(5, 1)...)
	again.demand(t, numberedItems(0, 6))
}

func quarantineRetains(t *testing.T, u QuarantineUnderTest) {
	items := oddItems()
	u.put(t, items...)
	for i := range items {
		clear(items[i].Payload)
		clear(items[i].Properties)
		items[i].Route = "changed"
	}
	u.demand(t, oddItems())
}
