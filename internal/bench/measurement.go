package main

import (
	"fmt"
	"time"
)

// measurement is what one run of a contender took.
type measurement struct {
	messages int
	cpu      time.Duration // user and system, from start to end of the process
	elapsed  time.Duration // from the start of the process until everything was settled
	peakRSS  int64         // bytes
}

// cpuPer100k is in seconds.
func (m measurement) cpuPer100k() float64 {
	return m.cpu.Seconds() * 100_000 / float64(m.messages)
}

// rate is in messages a second.
func (m measurement) rate() float64 { return float64(m.messages) / m.elapsed.Seconds() }

// rss is in MiB.
func (m measurement) rss() float64 { return float64(m.peakRSS) / (1 << 20) }

// pair is a run of the feed and one of the plain loop, one right after the
// other.
type pair struct {
	feed, loop measurement
}

// result is all that was measured on a path.
type result struct {
	path  path
	pairs []pair
}

// metric is one of the things that are measured.
type metric struct {
	name   string
	unit   string
	format string // of a value, for fmt
	value  func(measurement) float64
}

var (
	cpuMetric  = metric{"CPU per 100,000 messages", "s", "%.2f", measurement.cpuPer100k}
	rateMetric = metric{"rate", "messages/s", "%.0f", measurement.rate}
	rssMetric  = metric{"peak RSS", "MiB", "%.0f", measurement.rss}
)

// metrics returns all, the most important first.
func metrics() []metric { return []metric{cpuMetric, rateMetric, rssMetric} }

// feeds and loops return one side of all pairs.
func (r result) feeds(m metric) []float64 {
	return r.each(func(p pair) float64 { return m.value(p.feed) })
}

func (r result) loops(m metric) []float64 {
	return r.each(func(p pair) float64 { return m.value(p.loop) })
}

// ratios returns feed/loop pair by pair.
func (r result) ratios(m metric) []float64 {
	return r.each(func(p pair) float64 { return m.value(p.feed) / m.value(p.loop) })
}

func (r result) each(f func(pair) float64) []float64 {
	values := make([]float64, len(r.pairs))
	for i, p := range r.pairs {
		values[i] = f(p)
	}
	return values
}

// String shows the measurement in one line.
func (m measurement) String() string {
	return fmt.Sprintf("%.2f s CPU, %.0f/s, %.0f MiB", m.cpuPer100k(), m.rate(), m.rss())
}
