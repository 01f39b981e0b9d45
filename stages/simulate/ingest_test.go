package simulate_test

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/stages/simulate"
	"github.com/kraft-edge/datafeed/stages/unbatch"
)

// TestIngestOfChaos unpacks what a source with chaos sends, and compares with what
// the devices have read: nothing is missing, nothing is wrong, and what cannot be
// unpacked stands in the quarantine.
func TestIngestOfChaos(t *testing.T) {
	c := simulate.DefaultConfig()
	c.Start, c.Rate, c.Devices, c.Tags, c.Count, c.Codec = "2026-03-01T12:00:00Z", 0, 7, 20, 40_000, simulate.Mixed
	c.Batch.Readings = 50
	c.Chaos = simulate.Chaos{Corrupt: 0.1, Duplicate: 0.1, Reorder: 0.2, Garbage: 0.1, Conflict: 0.1, Within: 4, Skew: time.Hour, Drift: 0.001}
	source, err := simulate.NewSource(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	unpack := unbatch.DefaultConfig()
	unpack.Cache.Path = filepath.Join(t.TempDir(), "batches.db")
	factory := unbatch.Factories()[0]
	transform, err := factory.Transform(&unpack, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	sink, quarantine := &feedtest.Sink{}, &feedtest.Quarantine{}
	f, err := feed.New(feed.Options{Quarantine: quarantine}, feed.Route{Name: "ingest", Source: source, Transforms: []feed.Transform{transform}, Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := f.Run(ctx); err != nil {
		t.Fatal(err)
	}

	got := map[reading.Reading]int{}
	var p reading.Parser
	for _, payload := range sink.Taken() {
		r, err := p.Parse([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		got[r]++
	}
	said := source.Report()
	if len(got) != int(c.Count) || said.Readings != uint64(c.Count) {
		t.Fatalf("%d different readings arrived, %d were said to come, want %d", len(got), said.Readings, c.Count)
	}
	truth, err := simulate.NewSimulator(c)
	if err != nil {
		t.Fatal(err)
	}
	unknown := maps.Clone(got)
	for device := range truth.Devices() {
		for sequence := uint64(1); sequence < 1000; sequence++ {
			for _, r := range truth.Readings(nil, device, sequence) {
				delete(unknown, r)
			}
		}
	}
	for r := range unknown {
		t.Fatalf("%s arrived, which no device has read", r.AppendJSON(nil))
	}
	conflicts := 0
	for _, it := range quarantine.Items() {
		if strings.Contains(it.Reason, "conflict") {
			conflicts++
		}
	}
	if n := len(quarantine.Items()); uint64(n) != said.Corrupt()+said.Conflicts || uint64(conflicts) != said.Conflicts {
		t.Errorf("the quarantine has %d messages, %d of them conflicts; the source says %+v", n, conflicts, said)
	}
	if err := f.Status().Routes[0].Deliveries.Check(); err != nil {
		t.Error(err)
	}
	if d := f.Status().Routes[0].Deliveries; d.Received != said.Messages {
		t.Errorf("%d messages were received, the source says %d", d.Received, said.Messages)
	}
}
