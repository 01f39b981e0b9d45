package main

import (
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages"
)

func sweepOptions(t *testing.T, args ...string) options {
	t.Helper()
	o, err := parse(append([]string{"-flat"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestSweeps(t *testing.T) {
	want := []struct {
		title    string
		labels   []string
		messages []int
		goals    int
	}{
		{"Devices", []string{"10", "1,000", "100,000"}, []int{100_000, 100_000, 100_000}, 2},
		{"Payload", []string{"200 B", "1 KiB", "64 KiB"}, []int{100_000, 100_000, 10_000}, 0},
		{"Routes", []string{"1", "10", "50"}, []int{300_000, 300_000, 300_000}, 1},
		{"Backlog", []string{"10,000", "5,000,000"}, []int{100_000, 100_000}, 2},
	}
	all := sweeps(sweepOptions(t))
	if len(all) != len(want) {
		t.Fatalf("%d sweeps", len(all))
	}
	for i, s := range all {
		var labels []string
		var messages []int
		for _, v := range s.values {
			labels, messages = append(labels, v.label), append(messages, v.load.messages)
		}
		if w := want[i]; s.title != w.title || !slices.Equal(labels, w.labels) || !slices.Equal(messages, w.messages) || len(s.goals) != w.goals {
			t.Errorf("%s: %q, %v, %d goals", s.title, labels, messages, len(s.goals))
		}
		if w := s.warmUp(); w.standing() || w.load.messages >= 100_000 {
			t.Errorf("%s warms up with %+v", s.title, w)
		}
	}
	few, many := all[3].values[0], all[3].values[1]
	if !few.inPortions() || few.standing() || many.inPortions() || !many.standing() || many.waiting != 5_000_000 {
		t.Errorf("backlog: %+v, %+v", few, many)
	}
	if w := all[3].warmUp(); !w.inPortions() {
		t.Errorf("the backlog warms up with %+v", w)
	}
}

func TestSomeSweeps(t *testing.T) {
	var titles []string
	for _, s := range sweeps(sweepOptions(t, "-sweeps", "backlog, devices")) {
		titles = append(titles, s.title)
	}
	if !slices.Equal(titles, []string{"Devices", "Backlog"}) {
		t.Errorf("got %q", titles)
	}
}

// TestSmallLoadsComeInPortions holds for loads that are smaller than a portion.
func TestSmallLoadsComeInPortions(t *testing.T) {
	for n, want := range map[int]int{2: 1, 3000: 1500, 20_000: 10_000, 100_000: 10_000} {
		s := backlogSweep(load{messages: n}, 10*n)
		few := s.values[0]
		if few.waiting != want || !few.inPortions() {
			t.Errorf("of %d: %+v", n, few)
		}
	}
}

// TestSweepsLint has the feed read the configuration of each value.
func TestSweepsLint(t *testing.T) {
	registry, err := feed.NewRegistry(stages.All()...)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"AMQP_URL": "amqp://u:p@127.0.0.1:5672/", "MQTT_ADDRESS": "127.0.0.1:1883"}
	for _, s := range sweeps(sweepOptions(t)) {
		for _, v := range s.values {
			yaml := v.path.yaml(t.TempDir(), anyPort)
			c, err := config.Parse("bench", []byte(yaml), registry, func(name string) (string, bool) {
				value, ok := env[name]
				return value, ok
			})
			if err != nil {
				t.Errorf("%s, %s: %v", s.title, v.label, err)
				continue
			}
			_, routes, err := c.Build(slog.New(slog.DiscardHandler))
			if err != nil || len(routes) != len(v.path.legs) {
				t.Errorf("%s, %s: %d routes of %d legs, %v", s.title, v.label, len(routes), len(v.path.legs), err)
			}
		}
	}
}

// TestRoutesShareTheMessages looks where the routing keys of a load lead: each
// to one queue, and all queues get as many.
func TestRoutesShareTheMessages(t *testing.T) {
	s := routeSweep(load{messages: 1000, payloadBytes: 200, devices: 200})
	for _, v := range s.values {
		bindings := v.path.bindings()
		next, err := v.load.readings(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for {
			r, ok := next()
			if !ok {
				break
			}
			led := 0
			for _, b := range bindings {
				parts, key := strings.Split(r.RoutingKey, "."), strings.Split(b.key, ".")
				if len(key) == 4 && key[0] == parts[0] && key[1] == "*" && key[2] == parts[2] && key[3] == "#" {
					got[b.queue]++
					led++
				}
			}
			if led != 1 {
				t.Fatalf("%s routes: %s leads to %d queues", v.label, r.RoutingKey, led)
			}
		}
		if len(got) != len(bindings) {
			t.Errorf("%s routes: %d queues get messages", v.label, len(got))
		}
		for queue, n := range got {
			if n != routeFactor*1000/len(bindings) {
				t.Errorf("%s routes: %s gets %d", v.label, queue, n)
			}
		}
	}
}

func TestCopies(t *testing.T) {
	for want, p := range map[int]path{
		5:  {legs: []leg{mqttLeg}},
		10: {legs: []leg{mqttLeg, blobLeg}},
		15: {legs: []leg{ingestLeg, mqttLeg, blobLeg}},
	} {
		if got := (queues{bindings: p.bindings()}).copies(5); got != want {
			t.Errorf("%d copies, want %d", got, want)
		}
	}
	chain := path{legs: []leg{ingestLeg, mqttLeg.filledByOther(), blobLeg.filledByOther()}}
	if got := (queues{bindings: chain.bindings()}).copies(5); got != 5 || !chain.chain() {
		t.Errorf("of a chain: %d", got)
	}
	if got := (queues{bindings: flatPath("routes", lineLegs(50)...).bindings()}).copies(5); got != 5 {
		t.Errorf("of parts: %d", got)
	}
}

func TestAtMost(t *testing.T) {
	made := 0
	readings := func() (witness.Reading, bool) { made++; return witness.Reading{}, made <= 5 }
	for _, want := range []int{3, 2, 0} {
		next, got := atMost(3, readings), 0
		for _, ok := next(); ok; _, ok = next() {
			got++
		}
		if got != want {
			t.Errorf("a portion of %d, want %d", got, want)
		}
	}
}

// sampleSweep has median ratios of 1.25, which the ratio of the medians is not.
func sampleSweep() flatReport {
	o, _ := parse([]string{"-flat"})
	s := routeSweep(o.load)
	s.goals = []goal{ratio(cpuMetric, 1.25), ratio(rssMetric, 5)}
	of := func(seconds, mib int) measurement {
		return measured(time.Duration(seconds)*time.Second, time.Second, int64(mib))
	}
	return flatReport{
		options: o, took: 90 * time.Second,
		machine: machine{when: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), cpu: "Fast <CPU>", cores: 2, system: "System"},
		results: []sweepResult{{sweep: s, rounds: [][]measurement{
			{of(4, 20), of(4, 29), of(5, 69)},
			{of(2, 20), of(4, 38), of(4, 118)},
			{of(10, 20), of(10, 47), of(5, 20)},
		}}},
	}
}

func TestSweepRatiosAreTakenRoundByRound(t *testing.T) {
	r := sampleSweep().results[0]
	if got := r.ratios(cpuMetric, 2); !slices.Equal(got, []float64{1.25, 2, 0.5}) {
		t.Errorf("ratios %v", got)
	}
	if got := r.further(1); !slices.Equal(got, []float64{1, 2, 3}) {
		t.Errorf("for each further route: %v", got)
	}
	for _, none := range r.further(0) {
		if !math.IsNaN(none) {
			t.Errorf("for each route further than one: %v", none)
		}
	}
}

func TestCPUPerMegabyte(t *testing.T) {
	s := payloadSweep(load{messages: 1000})
	m := measurement{messages: 1000, cpu: time.Second}
	if got := s.further.of(s.values[0], m, m); math.Abs(got-5000) > 1e-9 { // 0.2 MB
		t.Errorf("got %v", got)
	}
}
