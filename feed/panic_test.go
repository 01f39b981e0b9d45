package feed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// faulty panics in a function of its own, in one of three ways.
func faulty(how string) {
	few := make([]int, 1)
	switch how {
	case "index":
		few[len(how)]++
	case "library":
		_ = strings.Repeat("x", -1)
	case "itself":
		panic("a bug")
	}
}

func panicsBy(m *message.Message) ([]*message.Message, error) {
	faulty(string(m.Payload))
	return []*message.Message{m}, nil
}

// The reason of a panic names the place in the stage's own code, and the stack is
// logged once for each place.
func TestPanicOfATransform(t *testing.T) {
	oneByOne := feed.Transform{Name: "faulty", Func: panicsBy}
	inBatches := feed.Transform{Name: "faulty", Batch: func(_ context.Context, msgs []*message.Message) (all []feed.Made) {
		for _, m := range msgs {
			made, err := panicsBy(m)
			all = append(all, feed.Made{Messages: made, Err: err})
		}
		return all
	}}
	for _, transform := range []feed.Transform{oneByOne, inBatches} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			q, box := &feedtest.Queue{}, &feedtest.Quarantine{}
			q.Put("index", "fine", "index", "library", "itself")
			q.End()
			r := start(t, feed.Options{Quarantine: box, Logger: slog.New(slog.NewJSONHandler(&log, nil))}, feed.Route{Source: q, Transforms: []feed.Transform{transform}, Sink: &feedtest.Sink{}})
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
			want := []string{"runtime error: index out of range .*", "runtime error: index out of range .*", "strings: negative Repeat count", "a bug"}
			items := box.Items()
			if len(items) != len(want) {
				t.Fatalf("quarantined %+v", items)
			}
			for i, text := range want {
				pattern := regexp.MustCompile(`^transform faulty: transform panicked at github.com/kraft-edge/datafeed/feed_test.faulty \(panic_test.go:\d+\): ` + text + `$`)
				if !pattern.MatchString(items[i].Reason) {
					t.Errorf("the reason %q does not match %s", items[i].Reason, pattern)
				}
			}
			checkPanics(t, log.Bytes(), "faulty", "feed_test.panicsBy", 3)
		})
	}
}

// checkPanics looks for records of panics of a stage, each with a stack that has a
// function.
func checkPanics(t *testing.T, log []byte, stage, function string, want int) {
	t.Helper()
	got := 0
	for line := range bytes.Lines(log) {
		var record struct{ Level, Msg, Stage, Panic, Stack string }
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		if record.Msg != "a stage panicked" {
			continue
		}
		got++
		if record.Level != "ERROR" || record.Stage != stage || !strings.Contains(record.Stack, function) || !strings.Contains(record.Panic, "panic_test.go:") {
			t.Errorf("logged %+v", record)
		}
	}
	if got != want {
		t.Errorf("%d panics were logged, want %d:\n%s", got, want, log)
	}
}

// faultySink panics at every batch.
type faultySink struct{ feedtest.Sink }

func (*faultySink) PublishBatch(context.Context, *feed.Batch) error {
	faulty("index")
	return nil
}

// A sink that panics at every try is logged with its stack once a minute, also when
// it is one of several.
func TestPanicOfASink(t *testing.T) {
	for _, sink := range []message.Publisher{&faultySink{}, feed.All(&feedtest.Sink{}, &faultySink{})} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			q := &feedtest.Queue{}
			q.Put("a")
			r := start(t, feed.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil)), DrainTimeout: time.Second}, feed.Route{
				Source: q, Sink: sink, SinkName: "faulty", Retry: feed.RetryPolicy{MaxDelay: time.Second, GiveBackAfter: 5 * time.Minute},
			})
			time.Sleep(150 * time.Second) // of fake time
			if s := r.status(); !strings.Contains(s.Reason, "sink panicked at ") || strings.Contains(s.Reason, "\n") {
				t.Errorf("the reason is %q", s.Reason)
			}
			r.cancel()
			if err := r.wait(); err == nil {
				t.Error("no error says that a message was given back at the drain deadline")
			}
			checkPanics(t, log.Bytes(), "faulty", "faultySink", 3)
		})
	}
}

// A panic of Settled ends nothing, and is logged.
func TestPanicWhenToldWhatIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		q := &feedtest.Queue{}
		q.Put("a", "b")
		q.End()
		transform := feed.Transform{Name: "faulty", Func: func(m *message.Message) ([]*message.Message, error) {
			return []*message.Message{m}, nil
		}, Settled: func([]feed.Settled) { faulty("itself") }}
		r := start(t, feed.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))}, feed.Route{Source: q, Transforms: []feed.Transform{transform}, Sink: &feedtest.Sink{}})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		checkPanics(t, log.Bytes(), "faulty", "TestPanicWhenToldWhatIsSettled", 1)
	})
}
