package cloudapi

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
)

// inOrder sorts readings as pages have them.
func inOrder(rs []reading.Reading) []reading.Reading {
	slices.SortFunc(rs, func(a, b reading.Reading) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Seq, b.Seq))
	})
	return rs
}

// TestExact: what is delivered, as lines or as a frame, is told to the bit, once
// and in order, whatever the pages are.
func TestExact(t *testing.T) {
	a := start(t, Options{})
	truth := map[key]reading.Reading{}
	batches := map[string]uint64{}
	rapid.Check(t, func(t *rapid.T) {
		rs := rapid.SliceOfNDistinct(readingtest.Readings(), 1, 20, func(r reading.Reading) key { return keyOf(&r) }).Draw(t, "readings")
		framed := rapid.Bool().Draw(t, "framed")
		fresh := rs[:0]
		for _, r := range rs {
			if framed {
				r.Device = rs[0].Device
			}
			if _, ok := truth[keyOf(&r)]; !ok {
				truth[keyOf(&r)] = r
				fresh = append(fresh, r)
			}
		}
		switch {
		case len(fresh) == 0:
		case framed:
			batches[fresh[0].Device]++
			a.frame(t, batches[fresh[0].Device], fresh...).took(t, len(fresh), 0)
		default:
			a.lines(t, "", fresh...).took(t, len(fresh), 0)
		}
		want := inOrder(slices.Collect(maps.Values(truth)))
		parameters := url.Values{}
		if rapid.Bool().Draw(t, "some") {
			one := rapid.SampledFrom(want).Draw(t, "one")
			from := min(one.Time, want[len(want)/3].Time)
			to := max(one.Time, want[len(want)/3].Time)
			set := func(name, value string, keep func(reading.Reading) bool) {
				if value != "" && rapid.Bool().Draw(t, name) {
					parameters.Set(name, value)
					want = slices.DeleteFunc(want, func(r reading.Reading) bool { return !keep(r) })
				}
			}
			set("from", time.Unix(0, from).UTC().Format(time.RFC3339Nano), func(r reading.Reading) bool { return r.Time >= from })
			set("to", time.Unix(0, to).UTC().Format(time.RFC3339Nano), func(r reading.Reading) bool { return r.Time < to })
			set("device", one.Device, func(r reading.Reading) bool { return r.Device == one.Device })
			set("tag", one.Tag, func(r reading.Reading) bool { return r.Tag == one.Tag })
		}
		parameters.Set("limit", strconv.Itoa(rapid.IntRange(max(1, len(want)/5), 200).Draw(t, "limit")))
		if got := a.all(t, parameters); !slices.Equal(got, want) {
			t.Fatalf("%v: got %d readings %+v, want %d %+v", parameters, len(got), got, len(want), want)
		}
	})
	if got := a.Stats().Readings; got != int64(len(truth)) {
		t.Errorf("%d readings are said to be held, want %d", got, len(truth))
	}
}

// TestSeqsInOrder: of readings of the same tag and time the least seq comes first.
func TestSeqsInOrder(t *testing.T) {
	a := start(t, Options{})
	var want []reading.Reading
	for _, seq := range []uint64{0, 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 1} {
		r := second("d", 0, 0)
		r.Seq = seq
		want = append(want, r)
	}
	mixed := slices.Clone(want)
	slices.Reverse(mixed)
	a.lines(t, "", mixed...).took(t, len(want), 0)
	if got := a.all(t, url.Values{"limit": {"1"}}); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// TestPagesWhileDataIsAdded: what was there is told once; what is added behind
// the cursor comes, what is added before it does not.
func TestPagesWhileDataIsAdded(t *testing.T) {
	a := start(t, Options{})
	a.lines(t, "", seconds("d", 10, 20)...).took(t, 10, 0)
	first := a.page(t, url.Values{"limit": {"4"}})
	if first.next == "" || !slices.Equal(first.readings, seconds("d", 10, 14)) {
		t.Fatalf("first page %+v", first)
	}
	a.lines(t, "", append(seconds("d", 0, 5), seconds("d", 20, 22)...)...).took(t, 7, 0)
	got := a.all(t, url.Values{"limit": {"4"}, "cursor": {first.next}})
	if !slices.Equal(got, seconds("d", 14, 22)) {
		t.Errorf("then %+v", got)
	}
}

// TestLongPage ends early, so that it fits in memory.
func TestLongPage(t *testing.T) {
	a := start(t, Options{})
	var want []reading.Reading
	for i := range 12 {
		r := second("d", i, 0)
		r.Value = reading.OfText(strings.Repeat("x", reading.MaxText-i))
		want = append(want, r)
		a.lines(t, "", r).took(t, 1, 0)
	}
	if p := a.page(t, url.Values{}); len(p.readings) != 4 || p.next == "" {
		t.Errorf("%d readings in a page, next %q", len(p.readings), p.next)
	}
	if got := a.all(t, url.Values{}); !slices.Equal(got, want) {
		t.Errorf("%d readings, want %d", len(got), len(want))
	}
}

// TestCursorIsForTheSame: a cursor is good for the parameters that it was made
// for, of this server, and for nothing else.
func TestCursorIsForTheSame(t *testing.T) {
	a := start(t, Options{})
	a.lines(t, "", seconds("d", 0, 5)...).took(t, 5, 0)
	of := url.Values{"device": {"d"}, "limit": {"2"}}
	next := a.page(t, of).next
	other := start(t, Options{})
	other.lines(t, "", seconds("d", 0, 5)...).took(t, 5, 0)
	foreign := other.page(t, of).next
	var devices struct{ Next string }
	a.lines(t, "", second("e", 0, 0)).took(t, 1, 0)
	a.ask(t, ScopeRead, "GET", "/v1/devices?limit=1", "", nil).read(t, http.StatusOK, &devices)
	for _, tt := range []struct{ what, query string }{
		{"another device", "device=e&cursor=" + next},
		{"no device", "cursor=" + next},
		{"a from", "device=d&from=1970-01-01T00:00:00Z&cursor=" + next},
		{"another server's", "device=d&cursor=" + foreign},
		{"of devices", "cursor=" + devices.Next},
		{"a letter less", "device=d&cursor=" + next[1:]},
		{"a letter changed", "device=d&cursor=" + strings.Map(func(r rune) rune { return r ^ 1 }, next[:1]) + next[1:]},
		{"a token", "cursor=" + a.token(t, ScopeRead)},
	} {
		t.Run(tt.what, func(t *testing.T) {
			a.ask(t, ScopeRead, "GET", "/v1/readings?"+tt.query, "", nil).refused(t, http.StatusBadRequest, "cursor")
		})
	}
	of.Set("cursor", next)
	of.Set("limit", "10")
	if p := a.page(t, of); !slices.Equal(p.readings, seconds("d", 2, 5)) || p.next != "" {
		t.Errorf("the cursor itself: %+v", p)
	}
}

func TestParameters(t *testing.T) {
	a := start(t, Options{})
	for _, tt := range []struct{ path, detail string }{
		{"/v1/readings?form=2026-01-01T00:00:00Z", `"form" is unknown`},
		{"/v1/readings?tag=a&tag=b", "tag is there twice"},
		{"/v1/readings?limit=0", "limit"},
		{"/v1/readings?limit=10001", "limit"},
		{"/v1/readings?from=2026-01-01", "from"},
		{"/v1/readings?from=2026-11-21T03:04:05,5Z", "from"},
		{"/v1/readings?to=2026-11-21T03:04:05.1234567891Z", "to"},
		{"/v1/readings?to=2300-01-01T00:00:00Z", "to"},
		{"/v1/readings?tag=%zz", "malformed"},
		{"/v1/readings?cursor=x", "cursor"},
		{"/v1/devices?device=d", "unknown"},
		{"/v1/devices?cursor=x", "cursor"},
		{"/v1/watermark?device=d", "unknown"},
	} {
		a.ask(t, ScopeRead, "GET", tt.path, "", nil).refused(t, http.StatusBadRequest, tt.detail)
	}
}

// TestPagesFollowAnIndex: no page is sorted, and none is looked for from the
// beginning.
func TestPagesFollowAnIndex(t *testing.T) {
	a := start(t, Options{})
	from := int64(1)
	k := key{1, "d", "t", 1}
	for _, q := range []query{
		{from: &from},
		{from: &from, device: "d"},
		{from: &from, device: "d", tag: "t"},
		{from: &from, tag: "t"},
		{after: &place{k, 2}},
		{after: &place{k, 1}, tag: "t"},
		{after: &place{k, 2}, device: "d"},
		{after: &place{k, 1}, device: "d", tag: "t"},
	} {
		text, args := q.statement()
		plan := planOf(t, a, text, args...)
		if len(plan) != 1 || !strings.HasPrefix(plan[0], "SEARCH readings USING") || !strings.Contains(plan[0], "ts") {
			t.Errorf("%s: %q", text, plan)
		}
	}
}

// planOf returns how SQLite finds what a statement asks for.
func planOf(t *testing.T, a *api, statement string, args ...any) (plan []string) {
	t.Helper()
	rows, err := a.store.reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestDevices(t *testing.T) {
	a := start(t, Options{})
	a.frame(t, 1, seconds("a", 10, 20)...).took(t, 10, 0)
	a.frame(t, 3, seconds("a", 30, 35)...).took(t, 5, 0)
	a.lines(t, "", seconds("b", 5, 7)...).took(t, 2, 0)
	text := func(s string) *string { return &s }
	want := []deviceAnswer{
		{"a", 15, 2, text("1970-01-01T00:00:10Z"), text("1970-01-01T00:00:34Z"), 1, text("1970-01-01T00:00:19Z")},
		{"b", 2, 0, text("1970-01-01T00:00:05Z"), text("1970-01-01T00:00:06Z"), 0, nil},
	}
	path := "/v1/devices?limit=1"
	for i, w := range want {
		var got struct {
			Devices []deviceAnswer
			Next    *string
		}
		a.ask(t, ScopeRead, "GET", path, "", nil).read(t, http.StatusOK, &got)
		if len(got.Devices) != 1 || (got.Next == nil) != (i == len(want)-1) {
			t.Fatalf("page %d: %+v", i, got)
		}
		if g := got.Devices[0]; g.Device != w.Device || g.Readings != w.Readings || g.Batches != w.Batches || *g.First != *w.First || *g.Last != *w.Last ||
			g.Sequence != w.Sequence || (g.Watermark == nil) != (w.Watermark == nil) || w.Watermark != nil && *g.Watermark != *w.Watermark {
			t.Errorf("got %+v, want %+v", g, w)
		}
		if got.Next != nil {
			path = "/v1/devices?limit=1&cursor=" + *got.Next
		}
	}
}
