package feed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// followed is a tracer in memory that follows deliveries whose payload begins with
// what it is to follow.
type followed struct {
	begins string

	mu    sync.Mutex
	spans []*spanned
	calls []string
}

type spanned struct {
	payload string
	events  []string
	ended   int
}

func (f *followed) Follow(hop *feed.Hop, m *message.Message, _ time.Time) feed.Span {
	if !strings.HasPrefix(string(m.Payload), f.begins) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &spanned{payload: string(m.Payload)}
	f.spans = append(f.spans, s)
	return s
}

func (f *followed) Published(hop *feed.Hop, spans []feed.Span, messages int, _ time.Time, err error) {
	var of []string
	for _, s := range spans {
		of = append(of, s.(*spanned).payload)
	}
	f.calls = append(f.calls, fmt.Sprintf("%s: %v of %d: %v", hop.Route, of, messages, err))
}

func (s *spanned) tell(format string, a ...any) {
	s.events = append(s.events, fmt.Sprintf(format, a...))
}

func (s *spanned) Lead(index int, m *message.Message) {
	m.Metadata["traceparent"] = s.payload
	s.tell("leads %d %s", index, m.Payload)
}
func (s *spanned) Placed(at feed.Place)              { s.tell("placed %v", at) }
func (s *spanned) Refused(reason string)             { s.tell("refused: %s", reason) }
func (s *spanned) TraceID() string                   { return "trace of " + s.payload }
func (s *spanned) End(o feed.Outcome, reason string) { s.ended++; s.tell("ends %d %q", o, reason) }

// TestTracerIsToldOfWhatItFollows and of nothing else: how each delivery ended, where
// what was made of it stands, and each call of the sink.
func TestTracerIsToldOfWhatItFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, tracer, log := &feedtest.Queue{}, &followed{begins: "a"}, &bytes.Buffer{}
		q.Put("a:1", "b:1", "a:drop", "a:bad", "a:2")
		q.End()
		calls := 0
		led := map[string]string{}
		sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			for i, m := range b.Messages {
				led[string(m.Payload)] = m.Metadata["traceparent"]
				b.Placed(i, feed.Place{Object: string(m.Payload)})
			}
			if calls++; calls == 1 {
				return 0, errors.New("busy")
			}
			return len(b.Messages), nil
		}}
		r := start(t, feed.Options{Tracer: tracer, Quarantine: &feedtest.Quarantine{}, Logger: slog.New(slog.NewTextHandler(log, nil))},
			feed.Route{Source: q, Transforms: changing, Sink: sink})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range tracer.spans {
			got = append(got, s.payload+": "+strings.Join(s.events, ", "))
			if s.ended != 1 {
				t.Errorf("%s ended %d times", s.payload, s.ended)
			}
		}
		want := []string{
			`a:1: leads 0 a:1/1, leads 1 a:1/2, placed {a:1/1 0}, placed {a:1/2 0}, placed {a:1/1 0}, placed {a:1/2 0}, ends 1 ""`,
			`a:drop: ends 2 "unwanted"`,
			`a:bad: refused: transform change: malformed, ends 3 "change"`,
			`a:2: leads 0 a:2/1, leads 1 a:2/2, placed {a:2/1 0}, placed {a:2/2 0}, placed {a:2/1 0}, placed {a:2/2 0}, ends 1 ""`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(tracer.calls) < 2 || !strings.Contains(tracer.calls[0], "busy") || tracer.calls[len(tracer.calls)-1] != "telemetry: [a:1 a:2] of 6: <nil>" {
			t.Errorf("calls of the sink: %q", tracer.calls)
		}
		if led["a:1/2"] != "a:1" || led["a:2/1"] != "a:2" || led["b:1/1"] != "" {
			t.Errorf("messages lead to %v", led)
		}
		if !strings.Contains(log.String(), `firstTrace="trace of a:bad"`) {
			t.Errorf("the log does not name the trace:\n%s", log)
		}
	})
}

// TestEachSpanEndsOnce also where deliveries are given back and come again.
func TestEachSpanEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, tracer := &feedtest.Queue{Window: 100}, &followed{}
		q.Put(numbered(100, "a", "b")...)
		q.End()
		sink := &feedtest.Sink{Take: goesAway("down")}
		r := start(t, feed.Options{Tracer: tracer}, feed.Route{Source: q, Sink: sink, Batch: feed.BatchLimits{MaxMessages: 16}, Retry: feed.RetryPolicy{GiveBackAfter: time.Second}})
		time.Sleep(10 * time.Second) // of fake time
		q.Break()
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		s, returned, delivered := r.status(), uint64(0), uint64(0)
		for _, s := range tracer.spans {
			if s.ended != 1 {
				t.Errorf("%s ended %d times: %q", s.payload, s.ended, s.events)
			}
			switch last := s.events[len(s.events)-1]; {
			case strings.HasPrefix(last, "ends 1"):
				delivered++
			case strings.HasPrefix(last, "ends 4"):
				returned++
			}
		}
		if want := feed.Total(s.Deliveries.Returned); returned != want || want == 0 || delivered != s.Deliveries.Delivered {
			t.Errorf("%d delivered and %d returned, the account has %d and %d", delivered, returned, s.Deliveries.Delivered, want)
		}
	})
}
