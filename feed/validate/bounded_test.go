package validate

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWorst: it keeps what sorting everything would.
func TestWorst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(rapid.IntRange(0, 50)).Draw(t, "all")
		w := worst[int]{most: rapid.IntRange(0, 10).Draw(t, "most"), compare: cmp.Compare[int]}
		for _, n := range all {
			w.add(n)
			if len(w.List) > max(2*w.most, 1) {
				t.Fatalf("%d are held", len(w.List))
			}
		}
		w.cut()
		slices.Sort(all)
		if n := min(len(all), w.most); !slices.Equal(w.List, all[:n]) || w.Omitted != int64(len(all)-n) {
			t.Fatalf("%v and %d, of %v", w.List, w.Omitted, all)
		}
	})
}

// TestLatencies: a bucket holds what it says, and quantiles are hardly too high.
func TestLatencies(t *testing.T) {
	for d := int64(1); d > 0; d += d/9 + 1 {
		b := bucket(d)
		if upTo(b) < time.Duration(d) || upTo(b-1) >= time.Duration(d) || b >= buckets {
			t.Fatalf("%d is in bucket %d, from %d to %d", d, b, upTo(b-1), upTo(b))
		}
		if float64(upTo(b)) > 1.125*float64(d)+1 {
			t.Fatalf("%d may be %d", d, upTo(b))
		}
	}
	if bucket(-5) != 0 {
		t.Error("a reading that arrived before its time has no bucket")
	}
	var counts [buckets]int64
	all := make([]time.Duration, 10_000)
	for i := range all {
		all[i] = time.Duration(rand.ExpFloat64() * float64(time.Second))
		counts[bucket(int64(all[i]))]++
	}
	slices.Sort(all)
	l := latencies{Counts: map[int]int64{}}
	l.merge(&counts, int64(all[len(all)-1]))
	got := l.result()
	for q, is := range map[int]time.Duration{5000: got.P50, 9500: got.P95, 9900: got.P99, 9999: got.Max} {
		if is < all[q] || float64(is) > 1.126*float64(all[q]) {
			t.Errorf("quantile %d: %s, want %s", q, is, all[q])
		}
	}
	if got.Count != 10_000 {
		t.Errorf("%d are counted", got.Count)
	}
}

// TestDoubtsAreBounded: many places cost little, and still all their times are doubted.
func TestDoubtsAreBounded(t *testing.T) {
	const n = 3 * maxSpans
	d := &doubts{all: span{0, 2 * n * int64(time.Second)}, seen: map[string]bool{}}
	for i := range int64(n) {
		u := Unreadable{Place: Place{Object: "o", Position: i + 1}, From: time.Unix(2*i, 0), To: time.Unix(2*i+1, 0)}
		d.add([]Unreadable{u, u})
	}
	for i := range int64(n) {
		if !d.at(2 * i * int64(time.Second)) {
			t.Fatalf("place %d is not doubted", i)
		}
	}
	if d.at(time.Second.Nanoseconds()) || d.at(2*n*int64(time.Second)) {
		t.Error("doubt where there is none")
	}
	if len(d.spans) > maxSpans || len(d.list) != maxPlaces || d.more != n-maxPlaces {
		t.Errorf("%d spans, %d places and %d more", len(d.spans), len(d.list), d.more)
	}
}
