package validatetest

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// checkEmpty: where nothing is, nothing is handed out, and that is no error.
func checkEmpty(t testing.TB, s SideUnderTest) {
	if s.Side.String() == "" {
		t.Error("the side has no name")
	}
	if costs := s.Side.Costs(); costs.Readings != 0 {
		t.Errorf("nothing was read, and costs are %+v", costs)
	}
	checkRead(t, s, day())
	s.Put(t, at(0, 1))
	checkRead(t, s, validate.Query{From: Noon.Add(time.Hour), To: Noon.Add(2 * time.Hour)})
	checkRead(t, s, validate.Query{From: Noon, To: Noon})
	checkRead(t, s, validate.Query{From: Noon.Add(time.Second), To: Noon.Add(-time.Second)})
}

// checkBounds: From is included, To is not, to the finest time that is kept.
func checkBounds(t testing.TB, s SideUnderTest) {
	step := max(s.Side.Traits().TimeStep, 1)
	rs := []reading.Reading{at(-time.Hour, 1), at(-step, 2), at(0, 3), at(step, 4), at(time.Minute-step, 5), at(time.Minute, 6), at(time.Hour, 7)}
	s.Put(t, rs...)
	q := func(from, to time.Time) validate.Query { return validate.Query{From: from, To: to} }
	checkRead(t, s, q(Noon, Noon.Add(time.Minute)), rs[2:5]...)
	checkRead(t, s, q(Noon, Noon.Add(step)), rs[2])
	checkRead(t, s, q(Noon.Add(-step), Noon), rs[1])
	checkRead(t, s, q(Noon.Add(step), Noon.Add(time.Minute+step)), rs[3:6]...)
	checkRead(t, s, q(Noon.Add(-time.Hour), Noon.Add(time.Hour)), rs[:6]...)
	checkRead(t, s, q(Noon.In(time.FixedZone("", 7200)), Noon.Add(step).In(time.FixedZone("", -3600))), rs[2])
	// Beyond what 64 bits of nanoseconds hold.
	checkRead(t, s, q(time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)), rs...)
	checkRead(t, s, q(time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1001, 1, 1, 0, 0, 0, 0, time.UTC)))
	checkRead(t, s, q(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(3001, 1, 1, 0, 0, 0, 0, time.UTC)))
}

// checkFilters: device and tag select, together and alone, with times.
func checkFilters(t testing.TB, s SideUnderTest) {
	var rs []reading.Reading
	for i, device := range []string{"press7", "press8", "temperature"} {
		for j, tag := range []string{"temperature", "pressure", "press7"} {
			rs = append(rs, of(device, tag, 0, uint64(10*i+j)), of(device, tag, time.Hour, uint64(100+10*i+j)))
		}
	}
	s.Put(t, rs...)
	for _, q := range []validate.Query{
		{Device: "press7"}, {Tag: "press7"}, {Device: "press8", Tag: "temperature"}, {Device: "temperature", Tag: "temperature"},
		{Device: "press9"}, {Tag: "humidity"}, {Device: "press9", Tag: "temperature"}, {Device: "press7", Tag: "humidity"}, {},
	} {
		for _, bounds := range [][2]time.Time{{Noon, Noon.Add(time.Second)}, {Noon.Add(time.Hour), Noon.Add(2 * time.Hour)}, {day().From, day().To}} {
			q.From, q.To = bounds[0], bounds[1]
			var want []reading.Reading
			for _, r := range rs {
				if means(q, &validate.Record{Reading: r}) {
					want = append(want, r)
				}
			}
			checkRead(t, s, q, want...)
		}
	}
}

// checkNames: names are compared as bytes, whatever they are made of, and one that
// no reading can have selects nothing.
func checkNames(t testing.TB, s SideUnderTest) {
	names := []string{
		"press", "press7", "Press7", "PRESS7", "press7 ", "press.7", "press/7", "press%2F7", "press%7", "press_7", "press*", "press?", "pre'ss", `pre"ss`, `pre\ss`,
		"a&b=c", "a+b", "a b", "#a", "ü", "u\u0308", "日本", "😀", "..", "-", "null", strings.Repeat("n", reading.MaxName),
	}
	var rs []reading.Reading
	for i, name := range names {
		r := of(name, names[len(names)-1-i], 0, uint64(i))
		r.Site, r.Line, r.Quality = name, names[(i+1)%len(names)], names[(i+2)%len(names)]
		rs = append(rs, r)
	}
	bare := at(0, 1000)
	bare.Site, bare.Line, bare.Quality = "", "", ""
	rs = append(rs, bare)
	s.Put(t, rs...)
	checkRead(t, s, day(), rs...)
	for _, r := range rs[:len(names)] {
		q := day()
		q.Device, q.Tag = r.Device, r.Tag
		checkRead(t, s, q, r)
	}
	for _, name := range []string{"\xff", "press\x007", strings.Repeat("n", reading.MaxName+1)} {
		q := day()
		q.Device = name
		checkRead(t, s, q)
		q.Device, q.Tag = "", name
		checkRead(t, s, q)
	}
}

// checkIdentity: readings that differ in one of device, tag, time and seq are
// different ones.
func checkIdentity(t testing.TB, s SideUnderTest) {
	step := max(s.Side.Traits().TimeStep, 1)
	rs := []reading.Reading{
		at(0, 1), at(0, 2), at(step, 1), at(0, 0), at(0, math.MaxUint64), at(0, math.MaxInt64), at(0, 1<<63),
		of("press7", "pressure", 0, 1), of("press8", "temperature", 0, 1), at(time.Hour, 3), at(-time.Hour, 4),
	}
	s.Put(t, rs...)
	checkRead(t, s, day(), rs...)
}

// checkValues: what was read is handed out to the bit.
func checkValues(t testing.TB, s SideUnderTest) {
	values := []reading.Value{
		{}, reading.OfBool(true), reading.OfBool(false),
		reading.OfInt(0), reading.OfInt(1), reading.OfInt(math.MaxInt64), reading.OfInt(math.MinInt64), reading.OfInt(1<<53 + 1),
		reading.OfFloat(0), reading.OfFloat(math.Copysign(0, -1)), reading.OfFloat(1), reading.OfFloat(0.1), reading.OfFloat(1e21), reading.OfFloat(5e-324),
		reading.OfFloat(math.MaxFloat64), reading.OfFloat(math.Inf(1)), reading.OfFloat(math.Inf(-1)), reading.OfFloat(math.NaN()),
		reading.OfFloat(math.Float64frombits(0x7ff0000000000001)), reading.OfFloat(math.Float64frombits(0xfff8000000000002)),
		reading.OfText(""), reading.OfText("on"), reading.OfText(" "), reading.OfText("null"), reading.OfText("1"), reading.OfText("a\x00b"), reading.OfText("\x00"),
		reading.OfText("line\r\nline\u2028\u2029"), reading.OfText(`"\/<>&`), reading.OfText("ü u\u0308 😀"), reading.OfText(strings.Repeat("long ", 20_000)),
	}
	drawn := readingtest.Values()
	for seed := range 100 {
		values = append(values, drawn.Example(seed))
	}
	rs := make([]reading.Reading, len(values))
	for i, v := range values {
		rs[i] = at(time.Duration(i)*time.Second+123_456_789, uint64(i))
		rs[i].Value = v
	}
	s.Put(t, rs...)
	checkRead(t, s, day(), rs...)
}

// checkCopies: each stored copy is handed out.
func checkCopies(t testing.TB, s SideUnderTest) {
	traits := s.Side.Traits()
	if (s.PutTwice == nil) != traits.Unique {
		t.Fatalf("the traits say that a reading cannot be there twice: %v, and the test can store one twice: %v", traits.Unique, s.PutTwice != nil)
	}
	if s.PutTwice == nil {
		return
	}
	s.PutTwice(t, at(0, 1))
	s.Put(t, at(time.Second, 2))
	checkRead(t, s, day(), at(0, 1), at(0, 1), at(time.Second, 2))
}

// checkMany: all of many readings are handed out, in order where the side says so.
func checkMany(t testing.TB, s SideUnderTest) {
	n := s.Many
	if n == 0 {
		n = 3000
	}
	var rs []reading.Reading
	for i := range n { // times of a device go back and forth
		rs = append(rs, of(fmt.Sprintf("device%d", i%2), "t", time.Duration(i^4)*time.Second, uint64(i)))
	}
	s.Put(t, rs...)
	got, err := collect(t.Context(), s.Side, day())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, s, "all", got.records, rs)
	if got.pages < 3 {
		t.Errorf("%d readings came in %d pages: set Many so that there are several", n, got.pages)
	}
	if !s.Side.Traits().Ordered {
		return
	}
	last := map[string]uint64{}
	for _, r := range got.records {
		if before, ok := last[r.Device]; ok && r.Seq < before {
			t.Fatalf("%s number %d stands behind number %d, which was stored later", r.Device, r.Seq, before)
		}
		last[r.Device] = r.Seq
	}
}
