package postgres

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
)

// key is what a point is known by.
type key struct {
	device, tag string
	time        int64
	seq         uint64
}

func keyOf(r reading.Reading) key { return key{r.Device, r.Tag, r.Time, r.Seq} }

// TestRoundTrip stores readings, many of them again and some with another value,
// and holds the table against a model: what came first is read back to the bit,
// what differs from it is refused, and nothing else is.
func TestRoundTrip(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newSink(t, func(c *Config) {
		c.Partition, c.MaxAge, c.MaxAhead = 3650*day, 200*365*day, 200*365*day
	})
	earliest, latest := noon.Add(-s.config.MaxAge), noon.Add(s.config.MaxAhead)
	mustPublish(t, s, reading.Reading{Device: "first", Tag: "t", Time: noon.UnixNano()})
	reader := openReader(t, s.config)
	model := map[key]reading.Reading{}
	rapid.Check(t, func(t *rapid.T) {
		some := readingtest.Readings()
		if len(model) > 0 {
			some = rapid.OneOf(some, some, rapid.Custom(func(t *rapid.T) reading.Reading {
				again := anyOf(t, model)
				if rapid.Bool().Draw(t, "differs") {
					again.Value = readingtest.Values().Draw(t, "other")
				}
				return again
			}))
		}
		batch := rapid.SliceOfN(some, 1, 30).Draw(t, "batch")
		want := map[int]bool{} // refused
		for i, r := range batch {
			stored, ok := model[keyOf(r)]
			switch {
			case strings.Contains(r.Site+r.Line+r.Device+r.Tag+r.Quality, "\x00"), r.At().Before(earliest), r.At().After(latest), ok && stored != r:
				want[i] = true
			case !ok:
				model[keyOf(r)] = r
			}
		}
		var failed *feed.BatchError
		if err := publish(t.Context(), s, batch...); err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		if failed != nil {
			for _, f := range failed.Failures {
				if !feed.IsPermanent(f.Err) || !want[f.Index] {
					t.Fatalf("%+v was refused: %v", batch[f.Index], f.Err)
				}
				delete(want, f.Index)
			}
		}
		for i := range want {
			t.Fatalf("%+v was not refused, though %+v is stored", batch[i], model[keyOf(batch[i])])
		}
		for _, r := range batch {
			at := r.At()
			for got, err := range reader.Readings(t.Context(), Query{Device: r.Device, Tag: r.Tag, From: at, To: at.Add(1)}) {
				if err != nil {
					t.Fatal(err)
				}
				if got != model[keyOf(got)] {
					t.Fatalf("%+v became %+v", model[keyOf(got)], got)
				}
			}
		}
	})
	// All of it, in order.
	var last reading.Reading
	n := 0
	for _, got := range all(t, reader, Query{}) {
		if got.Device == "first" {
			continue
		}
		n++
		if got != model[keyOf(got)] {
			t.Fatalf("%+v became %+v", model[keyOf(got)], got)
		}
		if n > 1 && !less(last, got) {
			t.Fatalf("%+v stands before %+v", last, got)
		}
		last = got
	}
	if n != len(model) {
		t.Errorf("%d readings are stored, want %d", n, len(model))
	}
}

// anyOf draws a stored reading. Maps have no order that rapid could repeat, so the
// readings are taken in one.
func anyOf(t *rapid.T, model map[key]reading.Reading) reading.Reading {
	keys := make([]key, 0, len(model))
	for k := range model {
		keys = append(keys, k)
	}
	slicesSortKeys(keys)
	return model[rapid.SampledFrom(keys).Draw(t, "again")]
}

func less(a, b reading.Reading) bool { return compareKeys(keyOf(a), keyOf(b)) < 0 }

// TestEdges stores what random readings reach seldom.
func TestEdges(t *testing.T) {
	s := newSink(t, nil)
	var want []reading.Reading
	for i, v := range []reading.Value{
		{}, reading.OfText(""), reading.OfText("\x00"), reading.OfText("ON\x00\x00"), reading.OfText(strings.Repeat("ü", reading.MaxText/2)),
		reading.OfBool(true), reading.OfBool(false), reading.OfInt(-1 << 63), reading.OfInt(1<<63 - 1),
	} {
		want = append(want, reading.Reading{Device: "d", Tag: "t", Time: noon.UnixNano() + int64(i), Value: v, Seq: uint64(i)})
	}
	for i, seq := range []uint64{1<<63 - 1, 1 << 63, 1<<64 - 1} {
		want = append(want, reading.Reading{Device: "d", Tag: "seq", Time: noon.Add(-time.Hour).UnixNano() - int64(i), Value: reading.OfInt(int64(i)), Seq: seq})
	}
	mustPublish(t, s, want...)
	checkStored(t, s.config, want...)
	mustPublish(t, s, want...)
	if got := query[string](t, s.config, `SELECT string_agg(concat_ws(' ', ns, kind, left(value, 10), number, seq), ', ' ORDER BY seq) FROM telemetry.readings WHERE tag = 't' AND seq <> 4`); got !=
		`0 none 0, 1 text  1, 2 text \000 2, 3 text ON\000\000 3, 5 bool true 5, 6 bool false 6, 7 int -922337203 -9.223372036854776e+18 7, 8 int 9223372036 9.223372036854776e+18 8` {
		t.Errorf("the view shows %s", got)
	}
	if got := query[string](t, s.config, `SELECT max(seq)::text FROM telemetry.readings`); got != "18446744073709551615" {
		t.Errorf("the view shows %s", got)
	}
}

// TestSplit: the nanoseconds of a row are 0 to 999, before 1970, too.
func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		nanos, micros int64
		ns            int16
	}{{0, 0, 0}, {1999, 1, 999}, {-1, -1, 999}, {-1000, -1, 0}, {-1001, -2, 999}, {least, least/1000 - 1, 192}, {most, most / 1000, 807}} {
		micros, ns := split(tt.nanos)
		if micros != tt.micros || ns != tt.ns || join(micros, ns) != tt.nanos {
			t.Errorf("%d is split into %d and %d, which join to %d; want %d and %d", tt.nanos, micros, ns, join(micros, ns), tt.micros, tt.ns)
		}
	}
}
