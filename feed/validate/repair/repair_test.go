package repair

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(i int) reading.Reading {
	return reading.Reading{Site: "plant1", Line: "line2", Device: fmt.Sprintf("press%d", i%3), Tag: "temperature", Time: noon.Add(time.Duration(i) * time.Second).UnixNano(), Value: reading.OfInt(int64(i)), Quality: "good", Seq: uint64(i)}
}

func known(r *reading.Reading) validate.Known {
	return validate.Known{Device: r.Device, Tag: r.Tag, Time: r.Time, Seq: r.Seq}
}

// store is a sink.
type store struct {
	mu  sync.Mutex
	got []uint64
	err func(*message.Message) error
}

func (s *store) Publish(string, ...*message.Message) error { return errors.New("not used") }
func (s *store) Close() error                              { return nil }

func (s *store) PublishBatch(_ context.Context, b *feed.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p reading.Parser
	failed := &feed.BatchError{}
	for i, m := range b.Messages {
		r, err := p.Parse(m.Payload)
		if err == nil && s.err != nil {
			err = s.err(m)
		}
		if err != nil {
			failed.Add(i, feed.Permanent(err))
			continue
		}
		s.got = append(s.got, r.Seq)
	}
	if len(failed.Failures) > 0 {
		return failed
	}
	return nil
}

type nowhere struct{}

func (nowhere) Put(context.Context, []feed.QuarantineItem) error { return nil }

func newRepair(t *testing.T, missing ...int) *Repair {
	t.Helper()
	m, err := OpenMissing(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	for n, i := range missing {
		r := at(i)
		if err := m.Add(t.Context(), known(&r), int64(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &Repair{Missing: m, Known: known, Options: feed.Options{Logger: slog.New(slog.DiscardHandler), Quarantine: nowhere{}}}
}

func route(s *store) feed.Route { return feed.Route{Name: "archive", Sink: s, SinkName: "store"} }

// edge is a side that has some readings.
func edge(selective bool, n int) *validatetest.Memory {
	side := &validatetest.Memory{Name: "the edge", Has: validate.Traits{Selective: selective}}
	for i := range n {
		side.Put(validate.Record{Reading: at(i), Place: validate.Place{Object: "table"}})
	}
	return side
}

func records(t *testing.T, r *Repair, side validate.Side) *Records {
	t.Helper()
	rs, err := NewRecords(side, r.Missing, time.Minute, 1)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func fates(t *testing.T, m *Missing) string {
	t.Helper()
	var all []string
	for e, err := range m.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d %s %s", e.Seq, e.Fate, e.Place))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// TestFromASide: what is missing is sent, once, and nothing else, from sides of
// either kind; a second repair sends nothing.
func TestFromASide(t *testing.T) {
	for _, selective := range []bool{true, false} {
		r := newRepair(t, 3, 4, 150, 399, 1000)
		var noted []string
		r.Note = func(place string, ks []validate.Known, f Fate) error {
			for _, k := range ks {
				noted = append(noted, fmt.Sprint(place, k.Seq, f))
			}
			return nil
		}
		s, side := &store{}, edge(selective, 400)
		found, err := r.From(t.Context(), "postgres", route(s), records(t, r, side))
		slices.Sort(s.got)
		if err != nil || found != (Found{Place: "postgres", Sent: 4}) || !slices.Equal(s.got, []uint64{3, 4, 150, 399}) || r.Missing.Left() != 1 {
			t.Fatalf("selective %v: %+v, error %v, sent %v", selective, found, err, s.got)
		}
		if got, want := fates(t, r.Missing), "1000 nowhere , 150 sent postgres, 3 sent postgres, 399 sent postgres, 4 sent postgres"; got != want || len(noted) != 4 {
			t.Errorf("fates %s, noted %v", got, noted)
		}
		if selective && side.Costs().Readings > 10 {
			t.Errorf("%d readings were read of a selective side to find 4", side.Costs().Readings)
		}
		found, err = r.From(t.Context(), "again", route(s), records(t, r, side))
		if err != nil || found.Sent != 0 || len(s.got) != 4 {
			t.Errorf("a second time: %+v, error %v, sent %v", found, err, s.got)
		}
	}
}

// TestDryRun: it is said what would be sent, and nothing is.
func TestDryRun(t *testing.T) {
	r, s := newRepair(t, 1, 2, 9), &store{}
	r.DryRun = true
	found, err := r.From(t.Context(), "postgres", route(s), records(t, r, edge(true, 5)))
	if err != nil || found.Sent != 2 || len(s.got) != 0 {
		t.Errorf("%+v, error %v, sent %v", found, err, s.got)
	}
}

// TestRefused: what the sink refuses for ever is noted, and sought elsewhere.
func TestRefused(t *testing.T) {
	r := newRepair(t, 1, 2)
	s := &store{err: func(m *message.Message) error {
		if strings.Contains(string(m.Payload), `"seq":2`) {
			return errors.New("no")
		}
		return nil
	}}
	found, err := r.From(t.Context(), "postgres", route(s), records(t, r, edge(true, 5)))
	if got := fates(t, r.Missing); err != nil || found.Sent != 1 || found.Refused != 1 || got != "1 sent postgres, 2 refused postgres" {
		t.Errorf("%+v, error %v, fates %s", found, err, got)
	}
	s.err = nil
	if found, err := r.From(t.Context(), "blob", route(s), records(t, r, edge(true, 5))); err != nil || found.Sent != 1 || fates(t, r.Missing) != "1 sent postgres, 2 sent blob" {
		t.Errorf("%+v, error %v, fates %s", found, err, fates(t, r.Missing))
	}
}

// TestInterrupted: a repair that is stopped has sent what it says, and another one
// sends the rest.
func TestInterrupted(t *testing.T) {
	var all []int
	for i := range 3000 {
		all = append(all, i)
	}
	r, s := newRepair(t, all...), &store{}
	ctx, cancel := context.WithCancel(t.Context())
	s.err = func(m *message.Message) error {
		if strings.Contains(string(m.Payload), `"seq":1500}`) {
			cancel()
		}
		return nil
	}
	found, err := r.From(ctx, "postgres", route(s), records(t, r, edge(true, 3000)))
	if !errors.Is(err, context.Canceled) || int(found.Sent) != len(s.got) || r.Missing.Left() != 3000-found.Sent || found.Sent == 0 || found.Sent == 3000 {
		t.Fatalf("%+v of %d, left %d, error %v", found, len(s.got), r.Missing.Left(), err)
	}
	s.err = nil
	again, err := r.From(t.Context(), "postgres", route(s), records(t, r, edge(true, 3000)))
	slices.Sort(s.got)
	if err != nil || again.Sent != 3000-found.Sent || len(slices.Compact(s.got)) != 3000 || r.Missing.Left() != 0 {
		t.Errorf("%+v, then %+v, left %d, error %v", found, again, r.Missing.Left(), err)
	}
}

// TestASideThatFails ends the repair of it, with what was sent before, and does not
// wait for the side to come back.
func TestASideThatFails(t *testing.T) {
	r, s, side := newRepair(t, 1, 100), &store{}, edge(true, 200)
	burns := errors.New("the edge burns")
	side.Fail = func(q validate.Query, _ validate.Page) error {
		if q.From.Equal(noon.Add(100 * time.Second)) {
			return burns
		}
		return nil
	}
	found, err := r.From(t.Context(), "postgres", route(s), records(t, r, side))
	if !errors.Is(err, burns) || found.Sent != 1 {
		t.Errorf("%+v, error %v", found, err)
	}
}

// TestACoarseSide is refused: what it has is not what was lost.
func TestACoarseSide(t *testing.T) {
	r := newRepair(t, 1)
	side := edge(true, 2)
	side.Has = validate.Traits{TimeStep: time.Microsecond, Lost: []string{"line"}}
	if _, err := NewRecords(side, r.Missing, time.Minute, 1); err == nil || !strings.Contains(err.Error(), "does not keep times finer than 1µs, line") {
		t.Errorf("error %v", err)
	}
}

// queue is a source of deliveries, each of several readings or of none.
type queue struct {
	payloads [][]int
	settled  map[uint64]feed.Outcome
	next     int
}

func (q *queue) SubscribeBatch(context.Context, string) (feed.Subscription, error) { return q, nil }
func (q *queue) Close() error                                                      { return nil }

func (q *queue) Receive(_ context.Context, dst []feed.Delivery, _ int) ([]feed.Delivery, error) {
	if q.next == len(q.payloads) {
		return dst, io.EOF
	}
	q.next++
	return append(dst, feed.Delivery{Message: message.NewMessage("", []byte(fmt.Sprint(q.payloads[q.next-1]))), Tag: uint64(q.next)}), nil
}

func (q *queue) Settle(_ context.Context, list []feed.Settlement) error {
	for _, s := range list {
		q.settled[s.Tag] = s.Outcome
	}
	return nil
}

// unpack makes readings of a list of numbers; those below 0 are none.
func unpack(m *message.Message) ([]*message.Message, error) {
	var out []*message.Message
	for _, field := range strings.Fields(strings.Trim(string(m.Payload), "[]")) {
		var i int
		if _, err := fmt.Sscan(field, &i); err != nil {
			return nil, err
		}
		r := at(max(i, 0))
		payload := r.AppendJSON(nil)
		if i < 0 {
			payload = []byte("noise")
		}
		out = append(out, message.NewMessage("", payload))
	}
	return out, nil
}

// TestDeliveries: a place is told of those of which all was missing and is sent, and
// of no others: the rest of these may be missing elsewhere.
func TestDeliveries(t *testing.T) {
	for _, dry := range []bool{false, true} {
		r, s := newRepair(t, 1, 2, 3, 4, 99), &store{}
		r.DryRun = dry
		q := &queue{payloads: [][]int{{1, 2}, {2}, {3, 7}, {8}, {4, -1}, {99, 99}}, settled: map[uint64]feed.Outcome{}}
		to := route(s)
		to.Transforms = []feed.Transform{{Name: "unpack", Func: unpack}}
		found, err := r.From(t.Context(), "quarantine", to, q)
		if err != nil || found.Sent != 5 || found.Strange != 1 {
			t.Fatalf("%+v, error %v", found, err)
		}
		slices.Sort(s.got)
		if want := []uint64{1, 2, 3, 4, 99}; !dry && !slices.Equal(s.got, want) || dry && len(s.got) != 0 {
			t.Errorf("sent %v", s.got)
		}
		const kept = feed.Quarantined
		want := map[uint64]feed.Outcome{1: feed.Delivered, 2: kept, 3: kept, 4: kept, 5: kept, 6: feed.Delivered}
		if dry {
			want[1], want[6] = kept, kept
		}
		if fmt.Sprint(q.settled) != fmt.Sprint(want) {
			t.Errorf("dry %v: settled %v, want %v", dry, q.settled, want)
		}
	}
}

// notes counts what a ledger is told.
type notes struct{ ended int }

func (n *notes) Record(_ *feed.Hop, ended []feed.Ended) { n.ended += len(ended) }

// TestPartOfADelivery: what the sink has of a delivery is sent, whatever becomes of the
// rest of it, and no other place sends it again.
func TestPartOfADelivery(t *testing.T) {
	r, all := newRepair(t, 1, 2, 3), &notes{}
	r.Options.Ledger = all
	s := &store{err: func(m *message.Message) error {
		if strings.Contains(string(m.Payload), `"seq":2`) {
			return errors.New("no")
		}
		return nil
	}}
	q := &queue{payloads: [][]int{{1, 2, 3}}, settled: map[uint64]feed.Outcome{}}
	to := route(s)
	to.Transforms = []feed.Transform{{Name: "unpack", Func: unpack}}
	found, err := r.From(t.Context(), "quarantine", to, q)
	if got, want := fates(t, r.Missing), "1 sent quarantine, 2 refused quarantine, 3 sent quarantine"; err != nil || got != want || found != (Found{Place: "quarantine", Sent: 2, Refused: 1}) {
		t.Errorf("%+v, error %v, fates %s", found, err, got)
	}
	if q.settled[1] != feed.Quarantined || all.ended != 3 {
		t.Errorf("settled as %v, and %d noted", q.settled, all.ended)
	}
	s.err = nil
	if found, err := r.From(t.Context(), "blob", route(s), records(t, r, edge(true, 5))); err != nil || found.Sent != 1 || !slices.Equal(s.got, []uint64{1, 3, 2}) {
		t.Errorf("%+v, error %v, sent %v", found, err, s.got)
	}
}

// TestWhatIsMissingCannotBeRead ends the repair, and sends nothing.
func TestWhatIsMissingCannotBeRead(t *testing.T) {
	r, s := newRepair(t, 1), &store{}
	if err := r.Missing.find.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	q := &queue{payloads: [][]int{{1}}, settled: map[uint64]feed.Outcome{}}
	to := route(s)
	to.Transforms = []feed.Transform{{Name: "unpack", Func: unpack}}
	_, err := r.From(ctx, "quarantine", to, q)
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "looking for what is missing") || len(s.got) != 0 || q.settled[1] != feed.Quarantined {
		t.Errorf("error %v, sent %v, settled %v", err, s.got, q.settled)
	}
}

// TestManyMissing: more than a page, in the order of devices, tags and times; what
// is added twice is there once, and a file that is kept has them again.
func TestManyMissing(t *testing.T) {
	path := t.TempDir() + "/kept"
	const n = 2*addedAtOnce + 7
	for range 2 {
		m, err := OpenMissing(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			r := at(i)
			if err := m.Add(t.Context(), known(&r), int64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		count, last := 0, ""
		for e, err := range m.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if name := fmt.Sprintf("%s %020d", e.Device, e.Time); name <= last {
				t.Fatalf("%s after %s", name, last)
			} else {
				last = name
			}
			count++
		}
		if count != n || m.Left() != n {
			t.Errorf("%d listed and %d left, want %d", count, m.Left(), n)
		}
		r := at(5)
		if e, ok, err := m.Lookup(t.Context(), known(&r)); err != nil || !ok || e != (Entry{Known: known(&r), Fate: Nowhere}) {
			t.Errorf("%+v, %v, %v", e, ok, err)
		}
		r.Seq++
		if _, ok, err := m.Lookup(t.Context(), known(&r)); err != nil || ok {
			t.Errorf("another one is missing: %v, %v", ok, err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatIsKept: all up to a number stays, whatever became of the process and of its
// context; what is behind it is forgotten.
func TestWhatIsKept(t *testing.T) {
	path := t.TempDir() + "/kept"
	first, err := OpenMissing(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 10 {
		r := at(i)
		if err := first.Add(ctx, known(&r), int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := first.Keep(); err != nil {
		t.Fatal(err)
	}
	r := at(10)
	if err := first.Add(ctx, known(&r), 11); err != nil {
		t.Fatal(err)
	}
	if err := first.Keep(); err != nil {
		t.Fatal(err)
	}
	// The process is killed here: it closes nothing.
	m, err := OpenMissing(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again := at(3)
	if err := errors.Join(m.Add(t.Context(), known(&again), 12), m.Cut(t.Context(), 7), m.Seal(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := fates(t, m); m.Left() != 7 || strings.Contains(got, "7 nowhere") || !strings.Contains(got, "6 nowhere") || !strings.Contains(got, "3 nowhere") {
		t.Errorf("%d left: %s", m.Left(), got)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAFileOfAnotherVersion is refused, with what to do.
func TestAFileOfAnotherVersion(t *testing.T) {
	path := t.TempDir() + "/kept"
	m, err := OpenMissing(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.db.Exec("PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMissing(t.Context(), path); err == nil || !strings.Contains(err.Error(), "another version of feed (format 1, this one knows 2): remove it") {
		t.Errorf("error %v", err)
	}
}

// BenchmarkFrom is of a reading: it is noted, found at a side, sent and noted as sent.
func BenchmarkFrom(b *testing.B) {
	side := &validatetest.Memory{Name: "the edge", Has: validate.Traits{Selective: true}}
	m, err := OpenMissing(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	for i := range b.N {
		side.Put(validate.Record{Reading: at(i), Place: validate.Place{Object: "table"}})
	}
	r := &Repair{Missing: m, Known: known, Options: feed.Options{Logger: slog.New(slog.DiscardHandler), Quarantine: nowhere{}}}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		x := at(i)
		if err := m.Add(b.Context(), known(&x), int64(i+1)); err != nil {
			b.Fatal(err)
		}
	}
	if err := m.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
	rs, err := NewRecords(side, m, time.Minute, 1)
	if err != nil {
		b.Fatal(err)
	}
	found, err := r.From(b.Context(), "side", route(&store{}), rs)
	if err != nil || found.Sent != int64(b.N) {
		b.Fatal(found, err)
	}
}
