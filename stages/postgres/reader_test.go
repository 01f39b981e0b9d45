package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// seqs names readings by device and sequence number.
func seqs(rs []reading.Reading) string {
	var b strings.Builder
	for _, r := range rs {
		fmt.Fprintf(&b, "%s/%s/%d ", r.Device, r.Tag, r.Seq)
	}
	return strings.TrimSpace(b.String())
}

func TestQueries(t *testing.T) {
	s := newSink(t, nil)
	var rs []reading.Reading
	for _, device := range []string{"b", "a", "ü"} {
		for _, tag := range []string{"y", "x"} {
			for i := range 3 { // 500 ns apart
				rs = append(rs, reading.Reading{Device: device, Tag: tag, Time: noon.UnixNano() + int64(i)*500, Seq: uint64(i)})
			}
		}
	}
	mustPublish(t, s, rs...)
	r := openReader(t, s.config)
	for _, tt := range []struct {
		query Query
		want  string
	}{
		{Query{}, "a/x/0 a/x/1 a/x/2 a/y/0 a/y/1 a/y/2 b/x/0 b/x/1 b/x/2 b/y/0 b/y/1 b/y/2 ü/x/0 ü/x/1 ü/x/2 ü/y/0 ü/y/1 ü/y/2"},
		{Query{Device: "b"}, "b/x/0 b/x/1 b/x/2 b/y/0 b/y/1 b/y/2"},
		{Query{Tag: "y", To: noon.Add(1)}, "a/y/0 b/y/0 ü/y/0"},
		{Query{Device: "a", Tag: "x", From: noon.Add(1)}, "a/x/1 a/x/2"},
		{Query{Device: "a", Tag: "x", From: noon.Add(500)}, "a/x/1 a/x/2"},
		{Query{Device: "a", Tag: "x", From: noon.Add(501)}, "a/x/2"},
		{Query{Device: "a", Tag: "x", From: noon, To: noon.Add(1000)}, "a/x/0 a/x/1"},
		{Query{Device: "a", Tag: "x", From: noon, To: noon}, ""},
		{Query{Device: "a", Tag: "x", From: noon.AddDate(-900, 0, 0), To: noon.AddDate(900, 0, 0)}, "a/x/0 a/x/1 a/x/2"},
		{Query{From: noon.AddDate(900, 0, 0)}, ""},
		{Query{To: noon.AddDate(-900, 0, 0)}, ""},
		{Query{Device: "a\x00"}, ""},
		{Query{Device: "\xff"}, ""},
	} {
		if got := seqs(all(t, r, tt.query)); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.query, got, tt.want)
		}
	}
	for range r.Readings(t.Context(), Query{}) {
		break // the reader is of use again
	}
	if got := len(all(t, r, Query{})); got != len(rs) {
		t.Errorf("%d readings, want %d", got, len(rs))
	}
}

// TestPages: many series, many readings of one series, and large ones.
func TestPages(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newSink(t, nil)
	var rs []reading.Reading
	add := func(device string, i int, v reading.Value) {
		rs = append(rs, reading.Reading{Device: device, Tag: "t", Time: noon.UnixNano() + int64(i/2), Value: v, Seq: uint64(i)})
	}
	for i := range 2*pageRows + 1 {
		add("long", i, reading.OfInt(int64(i)))
		add(fmt.Sprintf("many%05d", i), i, reading.Value{})
	}
	for i := range 2 * pageRows { // exactly two pages
		add("whole", i, reading.OfBool(true))
	}
	for i := range 20 {
		add("large", i, reading.OfText(strings.Repeat("x", reading.MaxText)))
	}
	for i := range 20 {
		add("large", 20+i, reading.OfText("small"))
	}
	mustPublish(t, s, rs...)
	r := openReader(t, s.config)
	seen := map[key]bool{}
	var last reading.Reading
	for got, err := range r.Readings(t.Context(), Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) > 0 && !less(last, got) {
			t.Fatalf("%+v stands before %+v", last, got)
		}
		last = got
		seen[keyOf(got)] = true
	}
	if len(seen) != len(rs) {
		t.Errorf("%d readings, want %d", len(seen), len(rs))
	}
	for _, w := range rs {
		if !seen[keyOf(w)] {
			t.Fatalf("%s %d is missing", w.Device, w.Seq)
		}
	}
	_, whole, err := r.page(t.Context(), seriesOf(t, r, "large"), cursor{time: least, seq: least, included: true}, most, pageRows)
	if err != nil || whole {
		t.Errorf("a page of large readings: whole %v, %v", whole, err)
	}
}

// TestPageIsTakenFromTheIndex: a page costs what it holds, not what follows it.
func TestPageIsTakenFromTheIndex(t *testing.T) {
	s := newSink(t, nil)
	for d := range 5 {
		rs := series50(0, 1000)
		for i := range rs {
			rs[i].Time -= int64(d) * int64(day)
		}
		mustPublish(t, s, rs...)
	}
	r := openReader(t, s.config)
	plan := ""
	err := r.query(t.Context(), func(rows pgx.Rows) (bool, error) {
		var line string
		err := rows.Scan(&line)
		plan += line + "\n"
		return true, err
	}, "EXPLAIN (COSTS OFF) "+pageSQL(false), 7, noon.Add(-3*day), 0, 0, noon, 0, pageRows)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plan, "Sort") || strings.Contains(plan, "Seq Scan") || strings.Count(plan, "Index Scan using points_") != 4 {
		t.Errorf("plan:\n%s", plan)
	}
}

func seriesOf(t *testing.T, r *Reader, device string) series {
	t.Helper()
	for s, err := range r.series(t.Context(), Query{Device: device}) {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Fatalf("no series of %s", device)
	return series{}
}

func TestCounts(t *testing.T) {
	s := newSink(t, nil)
	rs := series50(0, 5000) // 100 of each series, 50 ms apart
	mustPublish(t, s, rs...)
	r := openReader(t, s.config)
	from, to := noon.Add(time.Millisecond), noon.Add(4*time.Second)
	count := func(q Query, width time.Duration) map[string]int64 {
		t.Helper()
		counts := map[string]int64{}
		for c, err := range r.Counts(t.Context(), q, width) {
			if err != nil {
				t.Fatal(err)
			}
			counts[fmt.Sprint(c.Device, c.Tag, c.From.Sub(q.From))] = c.Readings
		}
		return counts
	}
	want := map[string]int64{}
	for _, reading := range rs {
		if at := reading.At(); !at.Before(from) && at.Before(to) {
			want[fmt.Sprint(reading.Device, reading.Tag, at.Sub(from).Truncate(time.Second))]++
		}
	}
	if got := count(Query{From: from, To: to}, time.Second); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counts %v, want %v", got, want)
	}
	total := int64(0)
	one := count(Query{Device: "device07", Tag: "temperature", From: noon.Add(-time.Hour)}, time.Millisecond)
	for _, n := range one {
		total += n
	}
	if total != 100 || len(one) != 100 {
		t.Errorf("%d readings in %d windows, want 100 in 100", total, len(one))
	}
	long := make([]reading.Reading, 2*pageRows+1)
	for i := range long {
		long[i] = at(noon.Add(time.Duration(i)*time.Second), uint64(i))
	}
	mustPublish(t, s, long...)
	if got := count(Query{Device: "d", From: noon}, time.Second); len(got) != len(long) {
		t.Errorf("%d windows, want %d", len(got), len(long))
	}
	for _, bad := range []Query{{}, {From: noon.Add(1)}, {From: noon.AddDate(-900, 0, 0)}} {
		n := 0
		for _, err := range r.Counts(t.Context(), bad, time.Second) {
			n++
			if err == nil {
				t.Errorf("counts from %v", bad.From)
			}
		}
		if n != 1 {
			t.Errorf("%d answers from %v, want an error", n, bad.From)
		}
	}
}

// TestReaderReconnects: a lost connection is an error once.
func TestReaderReconnects(t *testing.T) {
	db := testenv.PostgreSQL(t)
	mustPublish(t, openSink(t, configOf(db.URL())), series50(0, 10)...)
	proxy := testenv.Proxy(t, db.Addr)
	r := openReader(t, configOf(db.URLAt(proxy.Addr)))
	proxy.Cut()
	failed := false
	for _, err := range r.Readings(t.Context(), Query{}) {
		failed = err != nil
	}
	if !failed {
		t.Error("a cut connection is no error")
	}
	if got := len(all(t, r, Query{})); got != 10 {
		t.Errorf("%d readings, want 10", got)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for _, err := range r.Readings(t.Context(), Query{}) {
		if err == nil || !strings.Contains(err.Error(), "the reader is closed") {
			t.Errorf("read from a closed reader: %v", err)
		}
	}
}
