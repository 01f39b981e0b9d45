package postgres

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestRoute runs a route over a connection that is cut, from a source that hands
// out again, with readings that come twice, that contradict another, and that are
// none: each ends as it must, and the account balances.
func TestRoute(t *testing.T) {
	t.Parallel() // it waits most of the time
	db := testenv.PostgreSQL(t)
	proxy := testenv.Proxy(t, db.Addr)
	sink := openSink(t, configOf(db.URLAt(proxy.Addr)))
	queue, quarantine := &feedtest.Queue{Window: 500}, &feedtest.Quarantine{}
	rs := series50(0, 10_000)
	contradictions, others := 0, 0
	for i := range rs {
		text := string(rs[i].AppendJSON(nil))
		queue.Put(text)
		switch {
		case i%10 == 3:
			queue.Put(text)
		case i%1000 == 5:
			other := rs[i]
			other.Value = reading.OfInt(7)
			queue.Put(string(other.AppendJSON(nil)))
			contradictions++
		case i%1000 == 7:
			queue.Put(`{"value":21.5}`)
			others++
		}
	}
	queue.End()
	f, err := feed.New(feed.Options{Quarantine: quarantine, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, feed.Route{
		Name: "history", Source: queue, Sink: sink,
		Batch: feed.BatchLimits{MaxMessages: 100, MaxBytes: feed.MiB},
		Retry: feed.RetryPolicy{InitialDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond, GiveBackAfter: 30 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Run(context.WithoutCancel(t.Context())) }()
	direct := configOf(db.URL())
	for _, n := range []uint64{1000, 3000, 5000} {
		testenv.Eventually(t, time.Minute, "readings", func() bool { return f.Status().Routes[0].Deliveries.Delivered >= n })
		proxy.Cut()
		queue.Break()
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := queue.Misuse(); err != nil {
		t.Error(err)
	}
	account := f.Status().Routes[0].Deliveries
	if err := account.Check(); err != nil {
		t.Error(err)
	}
	if account.InFlight != 0 || account.Received < 11_000+uint64(contradictions+others) {
		t.Errorf("account %+v", account)
	}
	found := 0
	for _, it := range quarantine.Items() {
		if strings.Contains(it.Reason, "another reading has the same device") {
			found++
		}
	}
	// What is settled as the source breaks comes again, to the quarantine, too.
	if found < contradictions || len(quarantine.Items())-found < others {
		t.Errorf("%d contradictions of %d items are quarantined, want %d and %d others", found, len(quarantine.Items()), contradictions, others)
	}
	checkStored(t, direct, rs...)
}
