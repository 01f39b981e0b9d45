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

// measured is a measurement of 100,000 messages; a quarter of the memory is no page of a file.
func measured(cpu, elapsed time.Duration, mib int64) measurement {
	return measurement{messages: 100_000, cpu: cpu, elapsed: elapsed, peak: memory{rss: mib << 20, own: mib << 18}}
}

// sample has a median CPU ratio of 0.5, which the ratio of the medians is not.
func sample() report {
	p, _ := findPath("mqtt")
	p.goals = []goal{ratio(cpuMetric, 0.5), ratio(rateMetric, 1.25), absolute(rssMetric, 31)}
	loop := func(cpu time.Duration) measurement { return measured(cpu, 5*time.Second, 22) }
	steady, _ := findPath("steady")
	steady.goals = []goal{ratio(p50Metric, 1)}
	late := func(p50 time.Duration) measurement {
		m := measured(time.Second, 10*time.Second, 20)
		m.latency = latencies{p50, 2 * p50, 9 * p50}
		return m
	}
	o, _ := parse([]string{"-n", "200000"})
	r := report{
		options: o, took: 90 * time.Second,
		machine: machine{when: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), cpu: "Fast <CPU>", cores: 2, memory: "4.0 GiB", system: "System", versions: []string{"Go 1"}},
		results: []result{{path: p, pairs: []pair{
			{measured(1*time.Second, 4*time.Second, 30), loop(4 * time.Second)},
			{measured(2*time.Second, 4*time.Second, 31), loop(4 * time.Second)},
			{measured(3*time.Second, 2*time.Second, 32), loop(2 * time.Second)},
		}}, {path: steady, pairs: []pair{
			{late(2 * time.Millisecond), late(4 * time.Millisecond)},
			{late(3 * time.Millisecond), late(4 * time.Millisecond)},
		}}},
		startup: &startup{ready: []float64{90, 100, 120}, lint: []float64{20, 30}, binary: 30 << 20, stripped: 21 << 20},
	}
	r.results[1].pairs[0].feed.duplicates = 3
	return r
}

func TestMeasurement(t *testing.T) {
	m := measurement{messages: 200_000, cpu: 3 * time.Second, elapsed: 4 * time.Second, peak: memory{rss: 20 << 20, own: 7 << 20}}
	if got := m.String(); got != "1.50 s CPU, 50000/s, 20.0 (own 7.0) MiB" {
		t.Errorf("got %s", got)
	}
	m.latency, m.duplicates = latencies{p50: 1500 * time.Microsecond, p99: 8 * time.Millisecond, max: 20 * time.Millisecond}, 2
	if got := m.String(); got != "1.50 s CPU, p50 1.50 ms, p99 8.00 ms, max 20.0 ms, 20.0 (own 7.0) MiB, 2 duplicates" {
		t.Errorf("got %s", got)
	}
}

func TestRatiosAreTakenPairByPair(t *testing.T) {
	rows := sample().results[0].rows()
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	want := row{cpuMetric, summary{2, 1, 3}, summary{4, 2, 4}, summary{0.5, 0.25, 1.5}, summary{-2, -3, 1}}
	if got := rows[0]; got.metric.name != want.metric.name || got.feed != want.feed || got.baseline != want.baseline || got.ratio != want.ratio || got.added != want.added {
		t.Errorf("got %v %v %v %v, want %v", got.feed, got.baseline, got.ratio, got.added, want)
	}
}

func TestText(t *testing.T) {
	text := sample().text()
	for _, want := range []string{
		"AMQP → MQTT 5, QoS 1: medians of 3 pairs",
		"CPU per 100,000 messages, s   2.00 (1.00–3.00)",
		"4.00 (2.00–4.00)", "0.50 (0.25–1.50)",
		"25000 (25000–50000)", "31.0 (30.0–32.0)",
		"latency p50, ms", "2.50 (2.00–3.00)", "4.00 (4.00–4.00)", "0.62 (0.50–0.75)",
		"Binary: 30.0 MiB, without", "21.0 MiB", "≤ 0.50     met",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestPluginIsComparedWithTheFeed looks at figures of a plugin, for whose goal the
// difference counts.
func TestPluginIsComparedWithTheFeed(t *testing.T) {
	p, _ := findPath("plugin")
	p.goals = []goal{added(messageCPUMetric, 6)}
	side := func(cpu time.Duration, mib int64) measurement { return measured(cpu, 4*time.Second, mib) }
	with := func(cpu time.Duration) measurement {
		m := side(cpu, 30)
		m.childrenPeak, m.startCPU = memory{rss: 20 << 20, own: 2 << 20}, 150*time.Millisecond
		return m
	}
	r := sample()
	r.results = append(r.results, result{path: p, pairs: []pair{
		{with(1400 * time.Millisecond), side(800*time.Millisecond, 31)},
		{with(1200 * time.Millisecond), side(700*time.Millisecond, 32)},
		{with(2000 * time.Millisecond), side(1000*time.Millisecond, 33)},
	}})
	if err := missed(r.checks()); err != nil {
		t.Errorf("all goals are reached exactly: %v", err)
	}
	page := r.markdown()
	for _, want := range []string{
		"| A transform in a plugin | CPU per message, in a plugin − in process | 6.00 (5.00–10.00) µs | ≤ 6 µs | met |",
		"|  | in a plugin | in process | in a plugin ÷ in process | in a plugin − in process |\n|---|---:|---:|---:|---:|\n",
		"| CPU per message, µs | 14.00 (12.00–20.00) | 8.00 (7.00–10.00) | 1.75 (1.71–2.00) | 6.00 (5.00–10.00) |",
		"| CPU of a start, ms | 150 (150–150) |",
		"| peak memory of its own, MiB | 9.5 (9.5–9.5) | 8.0 (7.8–8.2) |",
		"| peak RSS, MiB | 50.0 (50.0–50.0) | 32.0 (31.0–33.0) |",
		"| pair | in a plugin | in process | CPU ratio |",
		"| 1 | 1.40 s CPU, 25000/s, 30.0 (own 7.5) + 20.0 (own 2.0) MiB | 0.80 s CPU, 25000/s, 31.0 (own 7.8) MiB | 1.75 |",
		"ratio and difference are taken pair by pair", "with batches of 500 messages", "the feed wrote 1,024\n  bytes within 10ms",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if backlog, steady, plugin := r.byKind(); len(backlog) != 1 || len(steady) != 1 || len(plugin) != 1 {
		t.Errorf("charts of %d and %d paths, %d beside", len(backlog), len(steady), len(plugin))
	}
	r.results[2].path.goals[0].limit = 5.9
	if err := missed(r.checks()); err == nil || !strings.Contains(err.Error(), "CPU per message, in a plugin − in process 6.00 (5.00–10.00) µs, goal ≤ 5.9 µs") {
		t.Errorf("got %v", err)
	}
}

func TestVerdict(t *testing.T) {
	if err := missed(sample().checks()); err != nil {
		t.Errorf("all goals are reached exactly: %v", err)
	}
	tests := []struct {
		name   string
		change func(*report)
		want   string
	}{
		{"CPU", func(r *report) { r.results[0].path.goals[0].limit = 0.49 }, "CPU per 100,000 messages, feed ÷ plain loop 0.50 (0.25–1.50), goal ≤ 0.49"},
		{"rate", func(r *report) { r.results[0].path.goals[1].limit = 1.26 }, "rate, feed ÷ plain loop 1.25 (1.25–2.50), goal ≥ 1.26"},
		{"RSS", func(r *report) { r.results[0].path.goals[2].limit = 30 }, "peak RSS of the feed 31.0 (30.0–32.0) MiB, goal ≤ 30 MiB"},
		{"latency", func(r *report) { r.results[1].path.goals[0].limit = 0.6 }, "AMQP → MQTT at a steady rate: latency p50"},
		{"start", func(r *report) { r.startup.ready = []float64{299, 300, 301} }, "`feed run` until ready 300 (299–301) ms, goal < 300 ms"},
		{"lint", func(r *report) { r.startup.lint = []float64{70} }, "`feed lint` 70"},
		{"nothing measured", func(r *report) { r.results[0].pairs = nil }, "goal missed: AMQP → MQTT 5, QoS 1: CPU"},
	}
	for _, tt := range tests {
		r := sample()
		tt.change(&r)
		if err := missed(r.checks()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs")
	r := sample()
	r.results[0].path.goals[2].limit = 30
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| AMQP → MQTT 5, QoS 1 | CPU per 100,000 messages, feed ÷ plain loop | 0.50 (0.25–1.50) | ≤ 0.50 | met |",
		"| AMQP → MQTT 5, QoS 1 | peak RSS of the feed | 31.0 (30.0–32.0) MiB | ≤ 30 MiB | **missed** |",
		"| CPU per 100,000 messages, s | 2.00 (1.00–3.00) | 4.00 (2.00–4.00) | 0.50 (0.25–1.50) |",
		"| 3 | 3.00 s CPU, 50000/s, 32.0 (own 8.0) MiB | 2.00 s CPU, 20000/s, 22.0 (own 5.5) MiB | 1.50 |",
		"says 200 | 100 (90–120) ms |", "duplicates: 3 of the feed, 0 of the plain loop",
		"2 January 2026", "Fast <CPU> with 2 cores, 4.0 GiB", "200,000 messages", "2,000 for mqtt", "(performance.svg)", "(performance-latency.svg)",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	// A second report, without the steady path, leaves no chart of it behind.
	for _, latency := range []bool{true, false} {
		if !latency {
			r.results = r.results[:1]
			if err := r.write(dir); err != nil {
				t.Fatal(err)
			}
		}
		for file, want := range map[string]bool{"performance.svg": true, "performance-latency.svg": latency} {
			if _, err := os.Stat(filepath.Join(dir, file)); (err == nil) != want {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

func TestChart(t *testing.T) {
	backlog, steady, _ := sample().byKind()
	metrics := []metric{cpuMetric, rateMetric}
	for _, tt := range []struct {
		results []result
		metrics []metric
		dots    int
	}{{backlog, metrics, 12}, {steady, []metric{p50Metric, p99Metric}, 8}, {[]result{{path: backlog[0].path}}, metrics, 0}} {
		svg := chart("Title <1>", tt.results, tt.metrics)
		if got := countCircles(t, svg); got != tt.dots {
			t.Errorf("%d dots instead of %d in\n%s", got, tt.dots, svg)
		}
		if strings.Contains(svg, "NaN") {
			t.Errorf("no numbers in\n%s", svg)
		}
	}
	if svg := chart("Title", nil, metrics); svg != "" {
		t.Errorf("of nothing: %s", svg)
	}
}

// countCircles fails when the drawing is no XML.
func countCircles(t *testing.T, svg string) int {
	t.Helper()
	circles := 0
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return circles
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
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
