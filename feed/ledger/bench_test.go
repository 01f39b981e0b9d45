package ledger

import (
	"flag"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

var searched = flag.Int("records", 1_000_000, "records that BenchmarkFind searches")

// BenchmarkRecord is what a message costs its route, and with CPU time the writer
// too, in batches of 1,000.
func BenchmarkRecord(b *testing.B) {
	l := open(b, Config{Path: b.TempDir()})
	batch := messages(0, 1000)
	b.ReportAllocs()
	for n := b.N; n > 0; n -= len(batch) {
		l.Record(testHop, batch[:min(n, len(batch))])
	}
	closeIt(b, l)
	b.ReportMetric(float64(l.Figures().Bytes)/float64(b.N), "B_stored/op")
}

// BenchmarkFind searches a whole ledger for one message, as trace does.
func BenchmarkFind(b *testing.B) {
	dir := b.TempDir()
	l := open(b, Config{Path: dir, MaxBytes: 4 * feed.GiB})
	for n := 0; n < *searched; n += 1000 {
		l.Record(testHop, messages(n, n+1000))
	}
	closeIt(b, l)
	if f := l.Figures(); f.Lost > 0 {
		b.Fatalf("%+v", f)
	}
	id := message(*searched / 2).ID
	for b.Loop() {
		if found, err := Find(b.Context(), dir, Query{IDs: []string{id}}, nil); err != nil || found.Matched != 1 {
			b.Fatal(found, err)
		}
	}
	b.ReportMetric(float64(*searched)/(b.Elapsed().Seconds()/float64(b.N))/1e6, "Mrecords/s")
	b.ReportMetric(float64(l.Figures().Bytes)/float64(*searched), "B/record")
}
