package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/generate"
)

// clock tells the time since it was made by the monotonic clock, as a time of
// day that a reading can carry. Whoever sets the machine's clock meanwhile does
// not change it.
type clock struct{ epoch time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() time.Time { return c.at(time.Now()) }

// at converts what time.Now returned.
func (c clock) at(t time.Time) time.Time { return c.epoch.Round(0).Add(t.Sub(c.epoch)) }

// arrivals notes when readings arrive at an MQTT subscriber, and how long after
// the time that they carry.
type arrivals struct {
	clock        clock
	tally        *witness.Tally
	subscription *subscription

	mu   sync.Mutex
	seen []arrival
}

// arrival is one that was the first of its reading.
type arrival struct {
	sent    time.Time
	latency time.Duration
}

func followArrivals(ctx context.Context, address string, c clock) (*arrivals, error) {
	a := &arrivals{clock: c, tally: witness.NewTally()}
	var err error
	a.subscription, err = subscribe(ctx, address, "bench-arrivals", "kraft/#", a.note)
	return a, err
}

// note is called by one goroutine.
func (a *arrivals) note(payload []byte) {
	now := a.clock.now()
	r, err := generate.ParseReading(payload)
	if err != nil {
		a.tally.AddJSON(payload) // as unreadable
		return
	}
	before := a.tally.Distinct()
	a.tally.Add(r.Device, r.Seq)
	if a.tally.Distinct() == before {
		return // a duplicate
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, arrival{r.At(), now.Sub(r.At())})
}

// since returns how long the readings took that were sent at a time or later.
func (a *arrivals) since(begin time.Time) []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var values []time.Duration
	for _, one := range a.seen {
		if !one.sent.Before(begin) {
			values = append(values, one.latency)
		}
	}
	return values
}

// close ends the subscription.
func (a *arrivals) close() { a.subscription.close() }

// account returns how many readings came again. It fails unless all that was
// published has come.
func (a *arrivals) account(p *published) (duplicates int, err error) {
	v := witness.Compare(p.tally, a.tally)
	if !v.Complete() {
		return 0, fmt.Errorf("not everything arrived: %+v", v)
	}
	return int(v.Duplicates), nil
}

// awaitTally waits until n different readings are tallied, or for long enough:
// what is missing then shows in a comparison.
func awaitTally(ctx context.Context, t *witness.Tally, n int) {
	patience := time.NewTimer(countPatience)
	defer patience.Stop()
	for {
		changed := t.Changed()
		if t.Distinct() >= uint64(n) {
			return
		}
		select {
		case <-changed:
		case <-patience.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
