package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlatText(t *testing.T) {
	text := sampleSweep().text()
	for _, want := range []string{
		"Routes: medians of 3 rounds", "50       5.00 (4.00–5.00)", "1.25 (0.50–2.00)", "69.0 (20.0–118.0)",
		"CPU per 100,000 messages, 50 ÷ 1 routes   1.25 (0.50–2.00)   ≤ 1.25   met",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestFlatVerdict(t *testing.T) {
	r := sampleSweep()
	if err := missed(r.checks()); err != nil {
		t.Errorf("all goals are reached exactly: %v", err)
	}
	r.results[0].sweep.goals[0].limit = 1.24
	if err := missed(r.checks()); err == nil || !strings.Contains(err.Error(), "Routes: CPU per 100,000 messages, 50 ÷ 1 routes 1.25 (0.50–2.00), goal ≤ 1.24") {
		t.Errorf("got %v", err)
	}
	r.results[0].rounds = nil
	if err := missed(r.checks()); err == nil || !strings.Contains(err.Error(), "peak RSS") {
		t.Errorf("nothing was measured: %v", err)
	}
}

func TestFlatWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs")
	if err := sampleSweep().write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, flatPageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| Routes | CPU per 100,000 messages, 50 ÷ 1 routes | 1.25 (0.50–2.00) | ≤ 1.25 | met |",
		"| routes | CPU per 100,000 messages, s | ÷ 1 | peak RSS, MiB | ÷ 1 | peak RSS for each further route, MiB |",
		"| 1 | 4.00 (2.00–10.00) | 1 | 20.0 (20.0–20.0) | 1 | – |",
		"| 10 | 4.00 (4.00–10.00) | 1.00 (1.00–2.00) | 38.0 (29.0–47.0) | 1.90 (1.45–2.35) | 2.00 (1.00–3.00) |",
		"`amqp.readAhead` | 8MiB |", "`amqp.prefetch` | 2,000 |", "2 January 2026", "(performance-flat.svg)", "(performance.md)", "100,000 messages",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	svg, err := os.ReadFile(filepath.Join(dir, flatChartFile))
	if err != nil {
		t.Fatal(err)
	}
	if got := countCircles(t, string(svg)); got != 18 {
		t.Errorf("%d dots in\n%s", got, svg)
	}
}

// TestPerformanceLeadsToFlat looks for the links on the other page.
func TestPerformanceLeadsToFlat(t *testing.T) {
	page := sample().markdown()
	for _, file := range []string{flatPageFile, flatChartFile} {
		if !strings.Contains(page, "]("+file+")") {
			t.Errorf("%s is not in\n%s", file, page)
		}
	}
}
