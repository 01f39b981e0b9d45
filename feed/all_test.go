package feed_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

func TestAllRepeatsOnlyToSinksThatLackTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		steady := &feedtest.Sink{}
		shaky := &feedtest.Sink{Take: failing(map[string]int{"a:00001": 3, "a:00004": 1}, func(string) error { return errors.New("busy") })}
		want := numbered(6, "a")
		q.Put(want...)
		q.End()
		r := start(t, feed.Options{}, feed.Route{Source: q, Sink: feed.All(steady, shaky)})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if got := steady.Taken(); !slices.Equal(got, want) {
			t.Errorf("the steady sink took %v, want each message once", got)
		}
		got := shaky.Taken()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("the shaky sink took %v, want each message once", got)
		}
	})
}

func TestAllQuarantinesOnlyWhatAllOthersHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, box := &feedtest.Queue{}, &feedtest.Quarantine{}
		refusing := &feedtest.Sink{Take: failing(map[string]int{"a:00000": 99}, func(string) error { return feed.Permanent(errors.New("not authorized")) })}
		slow := &feedtest.Sink{Take: failing(map[string]int{"a:00000": 3}, func(string) error { return errors.New("busy") })}
		q.Put(numbered(2, "a")...)
		q.End()
		r := start(t, feed.Options{Quarantine: box}, feed.Route{Source: q, Sink: feed.All(refusing, slow)})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if got := slow.Taken(); len(got) != 2 {
			t.Errorf("the other sink took %v, want both", got)
		}
		if items := box.Items(); len(items) != 1 || !strings.Contains(items[0].Reason, "not authorized") {
			t.Errorf("quarantine %+v", items)
		}
	})
}

func TestAllIsAsDurableAsItsLeastSink(t *testing.T) {
	durable := func(s message.Publisher) bool { return s.(feed.Durability).Durable() }
	if !durable(feed.All(&feedtest.Sink{}, &feedtest.Sink{})) {
		t.Error("two durable sinks are not durable together")
	}
	if durable(feed.All(&feedtest.Sink{}, volatileSink{&feedtest.Sink{}})) {
		t.Error("a volatile sink went unnoticed")
	}
	if err := feed.All(&feedtest.Sink{}, &feedtest.Sink{Check: func(context.Context) error { return errors.New("down") }}).(feed.Prober).Probe(t.Context()); err == nil {
		t.Error("the probe of a sink that is down succeeds")
	}
}

type volatileSink struct{ *feedtest.Sink }

func (volatileSink) Durable() bool { return false }

func TestAllCondemnsNothingThatAnotherSinkMayStillTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, box := &feedtest.Queue{}, &feedtest.Quarantine{}
		fatal := &feedtest.Sink{Take: failing(map[string]int{"a": 99}, func(string) error { return feed.ConnectionFatal(errors.New("too large")) })}
		late := &feedtest.Sink{Take: failing(map[string]int{"a": 6}, func(string) error { return errors.New("busy") })}
		q.Put("a")
		q.End()
		r := start(t, feed.Options{Quarantine: box}, feed.Route{Source: q, Sink: feed.All(fatal, feed.All(late))})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if len(late.Taken()) != 1 || len(box.Items()) != 1 {
			t.Errorf("the late sink took %v, %d quarantined; want both", late.Taken(), len(box.Items()))
		}
	})
}

func TestAllBelievesNoMalformedReport(t *testing.T) {
	lying := &feedtest.Sink{Take: func(context.Context, *feed.Batch) (int, error) {
		return 0, &feed.BatchError{Failures: []feed.Failure{{Index: 7, Err: errors.New("x")}}}
	}}
	err := feed.All(lying).(feed.BatchPublisher).PublishBatch(t.Context(), feed.NewBatch(&message.Message{}, &message.Message{}))
	var failed *feed.BatchError
	if !errors.As(err, &failed) || len(failed.Failures) != 2 {
		t.Errorf("%v, want both messages reported as failed", err)
	}
}

// TestAllNamesEachSinkThatFails: one line of a reason is shown.
func TestAllNamesEachSinkThatFails(t *testing.T) {
	down := func(what string, permanent bool) *feedtest.Sink {
		err := errors.New(what)
		if permanent {
			err = feed.Permanent(err)
		}
		return &feedtest.Sink{
			Take: func(context.Context, *feed.Batch) (int, error) {
				return 0, &feed.BatchError{Failures: []feed.Failure{{Err: err}}}
			},
			Check: func(context.Context) error { return err },
		}
	}
	for _, permanent := range []bool{false, true} {
		both := feed.All(down("no broker", permanent), &feedtest.Sink{}, down("no database", permanent))
		err := both.(feed.BatchPublisher).PublishBatch(t.Context(), feed.NewBatch(&message.Message{}))
		if err == nil || !strings.Contains(err.Error(), "no broker; no database") {
			t.Errorf("publish: %v, want both named on one line", err)
		}
		var failed *feed.BatchError
		if !errors.As(err, &failed) || len(failed.Failures) != 1 || feed.IsPermanent(failed.Failures[0].Err) != permanent {
			t.Errorf("publish: %v, permanent: want %v", err, permanent)
		}
		if err := both.(feed.Prober).Probe(t.Context()); err == nil || err.Error() != "no broker; no database" {
			t.Errorf("probe: %v, want both named on one line", err)
		}
	}
}
