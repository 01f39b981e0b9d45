package feed_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// refusing condemns every message, with its payload as the reason.
var refusing = []feed.Transform{{Name: "check", Func: func(m *message.Message) ([]*message.Message, error) {
	return nil, feed.Permanent(errors.New("bad " + string(m.Payload)))
}}}

// TestMissingQuarantineSaysHowToSetOne has a message that can never be delivered
// and nowhere to go.
func TestMissingQuarantineSaysHowToSetOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		q.Put("a")
		r := start(t, feed.Options{}, feed.Route{Source: q, Transforms: refusing, Sink: &feedtest.Sink{}})
		time.Sleep(time.Second) // of fake time
		for _, remedy := range []string{"write quarantine: {path: …}", "feed.Options.Quarantine", "bad a"} {
			if s := r.status(); !strings.Contains(s.Reason, remedy) {
				t.Errorf("the reason %q lacks %q", s.Reason, remedy)
			}
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestDrainDoesNotWaitForAFullQuarantine stops a route that tries in vain, and
// is not paused yet: it ends long before the drain deadline, and loses nothing.
func TestDrainDoesNotWaitForAFullQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		var full atomic.Bool // not when the route probes at the start
		box := &feedtest.Quarantine{Fail: func() error {
			if full.Load() {
				return errors.New("quarantine is full")
			}
			return nil
		}}
		r := start(t, feed.Options{Quarantine: box, DrainTimeout: time.Hour}, feed.Route{Source: q, Transforms: refusing, Sink: &feedtest.Sink{}, Retry: feed.RetryPolicy{MaxDelay: time.Second}})
		synctest.Wait()
		full.Store(true)
		q.Put("a")
		time.Sleep(5 * time.Second) // of fake time
		if s := r.status(); s.State != feed.StateRetrying && s.State != feed.StatePaused {
			t.Fatalf("state %s (%s)", s.State, s.Reason)
		}
		stopping := time.Now()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(stopping); took > 5*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		if n := q.Len(); n != 1 {
			t.Errorf("%d messages in the queue, want the one that the quarantine refuses", n)
		}
		if s := r.status(); s.Deliveries.Returned["quarantine down"] == 0 {
			t.Errorf("returned %v", s.Deliveries.Returned)
		}
	})
}

// TestDrainGivesAQuarantineASecond has a quarantine that fails for a moment while
// the feed drains.
func TestDrainGivesAQuarantineASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, tries := &feedtest.Queue{}, 0
		stop := make(chan struct{})
		box := &feedtest.Quarantine{Fail: func() error {
			tries++ // the first is the probe at the start
			if tries == 2 {
				close(stop)
			}
			if tries == 2 || tries == 3 {
				return errors.New("locked")
			}
			return nil
		}}
		r := start(t, feed.Options{Quarantine: box}, feed.Route{Source: q, Transforms: refusing, Sink: &feedtest.Sink{}})
		q.Put("a")
		<-stop
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if s := r.status(); s.Deliveries.Quarantined["check"] != 1 || q.Len() != 0 {
			t.Errorf("quarantined %v, %d messages left", s.Deliveries.Quarantined, q.Len())
		}
	})
}

// TestQuarantinedIsLogged: one line for many messages says whose reason it gives.
func TestQuarantinedIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		q := &feedtest.Queue{}
		q.Put("a", "b", "c")
		opts := feed.Options{Quarantine: &feedtest.Quarantine{}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		r := start(t, opts, feed.Route{Source: q, Transforms: refusing, Sink: &feedtest.Sink{}})
		synctest.Wait()
		q.Put("d") // within the second in which nothing more is logged
		synctest.Wait()
		time.Sleep(2 * time.Second) // of fake time
		q.Put("e")
		synctest.Wait()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		for _, want := range []string{
			`msg=quarantined route=telemetry messages=3 firstStage=check firstReason="transform check: bad a"`,
			`msg=quarantined route=telemetry messages=2 firstStage=check firstReason="transform check: bad d"`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s\nlacks %s", log.String(), want)
			}
		}
	})
}

// TestSourceThatFailsIsNoStart: the log line of a failed connect does not read as
// if the route was about to run.
func TestSourceThatFailsIsNoStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		q := &feedtest.Queue{}
		q.Refuse(errors.New("connection refused"))
		r := start(t, feed.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, feed.Route{Source: q, Sink: &feedtest.Sink{}})
		synctest.Wait()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if want := `level=WARN msg="route is not running and tries to start" route=telemetry before=starting reason="source source: connection refused"`; !strings.Contains(log.String(), want) {
			t.Errorf("%s\nlacks %s", log.String(), want)
		}
	})
}
