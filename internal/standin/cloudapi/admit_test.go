package cloudapi

import (
	"net/http"
	"testing"
	"time"
)

// TestRate: each client has a bucket of its own, which a second fills.
func TestRate(t *testing.T) {
	a := start(t, Options{Rate: 0.5, TokenLifetime: 24 * time.Hour})
	a.watermark(t)
	for range 2 {
		got := a.ask(t, ScopeRead, "GET", "/v1/watermark", "", nil)
		got.refused(t, http.StatusTooManyRequests, "0.5 requests a second")
		if after := got.header.Get("Retry-After"); after != "2" {
			t.Errorf("Retry-After %q, want 2 s", after)
		}
	}
	a.lines(t, "", second("d", 0, 0)).took(t, 1, 0) // another client
	a.ask(t, ScopeAdmin, "GET", "/admin/faults", "", nil)
	a.ask(t, ScopeAdmin, "GET", "/admin/faults", "", nil).read(t, http.StatusOK, new(struct{})) // no limit
	a.clock.advance(1999 * time.Millisecond)
	a.ask(t, ScopeRead, "GET", "/v1/watermark", "", nil).refused(t, http.StatusTooManyRequests, "")
	a.clock.advance(time.Millisecond)
	a.watermark(t)
	a.clock.advance(time.Hour)
	a.watermark(t)
	a.ask(t, ScopeRead, "GET", "/v1/watermark", "", nil).refused(t, http.StatusTooManyRequests, "")
}

func TestBucketHoldsASecond(t *testing.T) {
	b, now := bucket{rate: 10}, time.Now()
	for round, want := range []int{10, 5, 10} {
		now = now.Add([]time.Duration{0, time.Second / 2, time.Hour}[round])
		n := 0
		for b.take(now) == 0 {
			n++
		}
		if n != want {
			t.Errorf("round %d: %d requests at once, want %d", round, n, want)
		}
	}
}

// TestUnavailable: each third request is answered 503, and nothing of it is done.
func TestUnavailable(t *testing.T) {
	a := start(t, Options{Faults: &Faults{Unavailable: 3}})
	for i := range 9 {
		got := a.lines(t, "", second("d", i, 0))
		if i%3 < 2 {
			got.took(t, 1, 0)
			continue
		}
		got.refused(t, http.StatusServiceUnavailable, "one in 3 requests")
		if got.header.Get("Retry-After") != "1" {
			t.Errorf("header %v", got.header)
		}
	}
	if got := a.Stats().Readings; got != 6 {
		t.Errorf("%d readings are held, want 6", got)
	}
}
