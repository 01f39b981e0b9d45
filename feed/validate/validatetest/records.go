package validatetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Noon is the time around which the readings of the suite are.
var Noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// patience bounds what may take long: a side that hangs fails with a name.
const patience = time.Minute

// day is a query for all readings of the suite.
func day() validate.Query {
	return validate.Query{From: Noon.Add(-24 * time.Hour), To: Noon.Add(24 * time.Hour)}
}

// at is a reading of press7, some time after noon.
func at(after time.Duration, seq uint64) reading.Reading {
	return reading.Reading{
		Site: "plant1", Line: "line2", Device: "press7", Tag: "temperature",
		Time: Noon.Add(after).UnixNano(), Value: reading.OfFloat(float64(seq) / 8), Quality: "good", Seq: seq,
	}
}

// of is a reading of a tag of a device.
func of(device, tag string, after time.Duration, seq uint64) reading.Reading {
	r := at(after, seq)
	r.Device, r.Tag = device, tag
	return r
}

// several returns n readings of a device, a millisecond apart.
func several(device string, n int) []reading.Reading {
	rs := make([]reading.Reading, n)
	for i := range rs {
		rs[i] = of(device, fmt.Sprintf("tag%d", i%3), time.Duration(i)*time.Millisecond, uint64(i))
	}
	return rs
}

// read is what a side handed out.
type read struct {
	records    []validate.Record
	unreadable []validate.Unreadable
	pages      int
}

// collect reads all that a query means, and copies it.
func collect(ctx context.Context, s validate.Side, q validate.Query) (read, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the test has waited long enough"))
	defer cancel()
	var got read
	err := s.Read(ctx, q, func(p validate.Page) error {
		got.pages++
		got.records = append(got.records, p.Records...)
		got.unreadable = append(got.unreadable, p.Unreadable...)
		return nil
	})
	return got, err
}

// mustRead reads what must be readable.
func mustRead(t testing.TB, s SideUnderTest, q validate.Query) []validate.Record {
	t.Helper()
	before := s.Side.Costs().Readings
	got, err := collect(t.Context(), s.Side, q)
	if err != nil {
		t.Fatalf("read %+v: %v", q, err)
	}
	if len(got.unreadable) > 0 {
		t.Fatalf("read %+v: %v cannot be read: %v", q, got.unreadable[0].Place, got.unreadable[0].Err)
	}
	if counted := s.Side.Costs().Readings - before; counted != int64(len(got.records)) {
		t.Errorf("%d readings were counted as costs, and %d handed out", counted, len(got.records))
	}
	return got.records
}

// checkRead demands that a query means exactly these readings, as far as the side
// keeps them.
func checkRead(t testing.TB, s SideUnderTest, q validate.Query, want ...reading.Reading) {
	t.Helper()
	compare(t, s, fmt.Sprintf("%+v", q), mustRead(t, s, q), want)
}

func compare(t testing.TB, s SideUnderTest, what string, got []validate.Record, want []reading.Reading) {
	t.Helper()
	traits := s.Side.Traits()
	var rs, kept []reading.Reading
	for i := range got {
		checkRecord(t, traits, &got[i])
		rs = append(rs, got[i].Reading)
	}
	for _, w := range want {
		kept = append(kept, keptOf(traits, w))
	}
	slices.SortFunc(rs, order)
	slices.SortFunc(kept, order)
	for i := range max(len(rs), len(kept)) {
		switch {
		case i == len(rs) || i < len(kept) && order(rs[i], kept[i]) > 0:
			t.Fatalf("read %s: %d readings, want %d: %s is not handed out", what, len(rs), len(kept), shown(kept[i]))
		case i == len(kept) || order(rs[i], kept[i]) < 0:
			t.Fatalf("read %s: %d readings, want %d: %s is handed out", what, len(rs), len(kept), shown(rs[i]))
		case rs[i] != kept[i]:
			t.Fatalf("read %s:\n%s is handed out, want\n%s", what, shown(rs[i]), shown(kept[i]))
		}
	}
}

// checkRecord demands what holds for each record.
func checkRecord(t testing.TB, traits validate.Traits, r *validate.Record) {
	t.Helper()
	if (r.Arrived != 0) != traits.Arrival {
		t.Fatalf("%s arrived at %d, and the traits say that this is known: %v", shown(r.Reading), r.Arrived, traits.Arrival)
	}
	if r.Place.Object == "" || r.Place.Position < 0 {
		t.Fatalf("%s stands at %+v", shown(r.Reading), r.Place)
	}
}

// keptOf is what a side with these traits hands out of a reading.
func keptOf(traits validate.Traits, r reading.Reading) reading.Reading {
	if step := int64(traits.TimeStep); step > 0 {
		r.Time -= r.Time % step // all are after 1970
	}
	for _, lost := range traits.Lost {
		switch validate.Field(lost) {
		case validate.FieldSite:
			r.Site = ""
		case validate.FieldLine:
			r.Line = ""
		case validate.FieldQuality:
			r.Quality = ""
		case validate.FieldSeq:
			r.Seq = 0
		}
	}
	return r
}

// order compares by what a reading is known by.
func order(a, b reading.Reading) int {
	if c := strings.Compare(a.Device, b.Device); c != 0 {
		return c
	}
	if c := strings.Compare(a.Tag, b.Tag); c != 0 {
		return c
	}
	switch {
	case a.Time != b.Time:
		return sign(a.Time < b.Time)
	case a.Seq != b.Seq:
		return sign(a.Seq < b.Seq)
	}
	return 0
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}

// shown is a reading in JSON; a long one is cut.
func shown(r reading.Reading) string { return fmt.Sprintf("%.600s", r.AppendJSON(nil)) }
