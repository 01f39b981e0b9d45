package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// waiting is the condition that the feed waits for the standby.
const waiting = `application_name = 'datafeed' AND wait_event = 'SyncRep'`

func awaitStandby(t *testing.T, c Config, want bool) {
	t.Helper()
	testenv.Eventually(t, time.Minute, "the feed to begin or end to wait for the standby", func() bool {
		return query[bool](t, c, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE `+waiting+`)`) == want
	})
}

// TestStandby: what no synchronous standby has confirmed is not acknowledged,
// also when it comes again and is found.
func TestStandby(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.PrivatePostgreSQL(t)
	c := configOf(server.URL())
	s := openSink(t, c)
	rs := series50(0, 100)
	mustPublish(t, s, rs[:50]...)
	standby := server.Standby()
	mustPublish(t, s, rs[:50]...)
	standby.Pause()
	start := func(rs ...reading.Reading) (result chan error, cancel context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		result = make(chan error, 1)
		awaitStandby(t, c, false)
		go func() { result <- publish(ctx, s, rs...) }()
		awaitStandby(t, c, true)
		return result, cancel
	}
	for _, tt := range []struct {
		what string
		rs   []reading.Reading
	}{{"new", rs[50:]}, {"stored", rs[:50]}, {"stored without a confirmation", rs[50:]}, {"both stored and new", series50(0, 101)}} {
		result, cancel := start(tt.rs...)
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("publish what is %s: %v, want the context's error", tt.what, err)
		}
	}
	// Somebody ends the wait: the server then says that it has committed.
	for _, tt := range []struct {
		what string
		rs   []reading.Reading
	}{{"new", series50(101, 49)}, {"stored", rs}} {
		result, cancel := start(tt.rs...)
		exec(t, c, `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE `+waiting)
		err := <-result
		cancel()
		if err == nil || feed.IsPermanent(err) || errors.As(err, new(*feed.BatchError)) || !strings.Contains(err.Error(), "standby") {
			t.Errorf("publish what is %s, not waiting for the standby: %v", tt.what, err)
		}
	}
	result, cancel := start(series50(0, 150)...)
	defer cancel()
	standby.Resume()
	if err := <-result; err != nil {
		t.Errorf("publish: %v", err)
	}
	checkStored(t, c, series50(0, 150)...)
}
