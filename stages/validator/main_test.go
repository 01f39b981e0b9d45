package validator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

func TestMain(m *testing.M) {
	if crashing() {
		return
	}
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.DiscardHandler)

// noon is the time around which the readings of the tests are, and where their
// clocks begin.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// nothing is the configuration of an expectation that a test has at hand.
type nothing struct{}

func (*nothing) Validate() error { return nil }

// truth makes an expectation of the test a stage.
func truth(e validate.Expectation) feed.Nested {
	f := validate.ExpectationFactory("truth", "An expectation of a test.", func() nothing { return nothing{} },
		func(nothing, feed.StageEnv) (validate.Expectation, error) {
			if e == nil {
				return nil, errors.New("there is none")
			}
			return e, nil
		})
	return feed.Nested{Name: f.Name, Config: f.NewConfig(), Factory: f}
}

// rig is a sink that runs when it is told to, what it expects, and its clock.
type rig struct {
	*Sink
	clock  *clock
	expect *watched
	config Config
}

// watched is an expectation that knows what it was asked for, and stays open.
type watched struct {
	validatetest.Memory

	mu     sync.Mutex
	onRead func(context.Context) error // nil: nothing
	reads  []validate.Query
	closed bool
}

func (w *watched) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	w.mu.Lock()
	w.reads = append(w.reads, q)
	onRead := w.onRead
	w.mu.Unlock()
	if onRead != nil {
		if err := onRead(ctx); err != nil {
			return err
		}
	}
	return w.Memory.Read(ctx, q, take)
}

// on has reads call do first.
func (w *watched) on(do func(context.Context) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onRead = do
}

func (w *watched) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return nil
}

// put makes readings expected, wherever the watermark is.
func (w *watched) put(rs ...reading.Reading) {
	for _, r := range rs {
		w.Put(validate.Record{Reading: r})
	}
}

// asked returns the times that were asked for since it was called before, without
// those that are looked at more closely.
func (w *watched) asked() (asked []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, q := range w.reads {
		closer := slices.ContainsFunc(w.reads[:i], func(p validate.Query) bool { return !q.From.Before(p.From) && !q.To.After(p.To) })
		if !closer {
			asked = append(asked, q.From.Format("15:04")+"-"+q.To.Format("15:04"))
		}
	}
	w.reads = nil
	return asked
}

// newRig returns a rig with windows of ten minutes. edit may be nil.
func newRig(t testing.TB, edit func(*Config)) *rig {
	t.Helper()
	r := &rig{clock: &clock{at: noon}, expect: &watched{}, config: DefaultConfig()}
	r.config.Path = t.TempDir()
	r.config.Window, r.config.Lateness = 10*time.Minute, time.Minute
	if edit != nil {
		edit(&r.config)
	}
	r.open(t)
	return r
}

// open makes a sink, as a process that starts does.
func (r *rig) open(t testing.TB) {
	t.Helper()
	r.config.Expect = truth(r.expect)
	s, err := newSink(r.config, feed.StageEnv{Logger: quiet}, r.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	close(s.runs)
	r.Sink = s
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// reopen closes the sink, and makes another one in its place.
func (r *rig) reopen(t testing.TB) {
	t.Helper()
	if err := r.Sink.Close(); err != nil {
		t.Fatal(err)
	}
	r.open(t)
}

// crash goes on in a copy of the directory, as it stands while the sink is open.
func (r *rig) crash(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(r.config.Path)); err != nil {
		t.Fatal(err)
	}
	r.config.Path = dir
	r.open(t)
}

// messages makes messages of readings.
func messages(rs ...reading.Reading) []*message.Message {
	ms := make([]*message.Message, len(rs))
	for i := range rs {
		ms[i] = message.NewMessage(fmt.Sprint(i), rs[i].AppendJSON(nil))
	}
	return ms
}

func (r *rig) store(t testing.TB, rs ...reading.Reading) {
	t.Helper()
	if err := r.PublishBatch(t.Context(), feed.NewBatch(messages(rs...)...)); err != nil {
		t.Fatal(err)
	}
}

// every returns readings of a device, from a time on.
func every(step time.Duration, device string, from time.Time, n int) []reading.Reading {
	rs := make([]reading.Reading, n)
	for i := range rs {
		rs[i] = reading.Reading{
			Site: "plant1", Line: "line2", Device: device, Tag: fmt.Sprintf("tag%d", i%3),
			Time: from.Add(time.Duration(i) * step).UnixNano(), Value: reading.OfFloat(float64(i) / 8), Quality: "good", Seq: uint64(i + 1),
		}
	}
	return rs
}
