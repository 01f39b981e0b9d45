package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// measured is a measurement of 100,000 messages.
func measured(cpu, elapsed time.Duration, mib int64) measurement {
	return measurement{messages: 100_000, cpu: cpu, elapsed: elapsed, peakRSS: mib << 20}
}

// sample has a median CPU ratio of 0.5, which the ratio of the medians is not.
func sample() report {
	p, _ := findPath("mqtt")
	loop := func(cpu time.Duration) measurement { return measured(cpu, 5*time.Second, 22) }
	return report{
		messages: 200_000, limit: 1.05, took: 90 * time.Second,
		machine: machine{when: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), cpu: "Fast <CPU>", cores: 2, memory: "4.0 GiB", system: "System", versions: []string{"Go 1"}},
		results: []result{{path: p, pairs: []pair{
			{measured(1*time.Second, 4*time.Second, 30), loop(4 * time.Second)},
			{measured(2*time.Second, 4*time.Second, 31), loop(4 * time.Second)},
			{measured(3*time.Second, 2*time.Second, 32), loop(2 * time.Second)},
		}}},
	}
}

func TestMeasurement(t *testing.T) {
	m := measurement{messages: 200_000, cpu: 3 * time.Second, elapsed: 4 * time.Second, peakRSS: 20 << 20}
	if got := m.String(); got != "1.50 s CPU, 50000/s, 20 MiB" {
		t.Errorf("got %s", got)
	}
}

func TestRatiosAreTakenPairByPair(t *testing.T) {
	rows := sample().results[0].rows()
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	want := row{cpuMetric, summary{2, 1, 3}, summary{4, 2, 4}, summary{0.5, 0.25, 1.5}}
	if got := rows[0]; got.feed != want.feed || got.loop != want.loop || got.each != want.each {
		t.Errorf("got %v %v %v, want %v", got.feed, got.loop, got.each, want)
	}
}

func TestText(t *testing.T) {
	text := sample().text()
	for _, want := range []string{
		"AMQP → MQTT 5, QoS 1: medians of 3 pairs",
		"CPU per 100,000 messages, s   2.00 (1.00–3.00)",
		"4.00 (2.00–4.00)", "0.50 (0.25–1.50)",
		"25000 (25000–50000)", "31 (30–32)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		limit float64
		ok    bool
	}{{1.05, true}, {0.5, true}, {0.49, false}}
	for _, tt := range tests {
		r := sample()
		r.limit = tt.limit
		if err := r.verdict(); (err == nil) != tt.ok {
			t.Errorf("limit %v: %v", tt.limit, err)
		}
	}
	r := sample()
	r.results[0].pairs = nil
	if r.verdict() == nil {
		t.Error("nothing measured is within the limit")
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs")
	if err := sample().write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| CPU per 100,000 messages, s | 2.00 (1.00–3.00) | 4.00 (2.00–4.00) | 0.50 (0.25–1.50) |",
		"| 3 | 3.00 s CPU, 50000/s, 32 MiB | 2.00 s CPU, 20000/s, 22 MiB | 1.50 |",
		"2 January 2026", "Fast <CPU> with 2 cores, 4.0 GiB", "200,000 messages", "4,000 for mqtt", "(performance.svg)",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "performance.svg")); err != nil {
		t.Error(err)
	}
}

func TestChart(t *testing.T) {
	svg := chart(sample().results)
	circles := 0
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 12 { // three pairs, two sides, two panels
		t.Errorf("%d dots in\n%s", circles, svg)
	}
	if strings.Contains(svg, "NaN") {
		t.Errorf("no numbers in\n%s", svg)
	}
	if empty := chart([]result{{path: sample().results[0].path}}); strings.Contains(empty, "NaN") {
		t.Errorf("no numbers in\n%s", empty)
	}
}

func TestAxisEnd(t *testing.T) {
	for highest, want := range map[float64]float64{0: 1, math.Inf(1): 1, 0.9: 1, 1: 1, 1.2: 2, 2.9: 4, 4.1: 6, 7: 8, 8.5: 10, 37000: 40000, 0.031: 0.04} {
		if got := axisEnd(highest); math.Abs(got-want) > want/1e9 {
			t.Errorf("axisEnd(%v) = %v, want %v", highest, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 20_000: "20,000", 1_234_567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
