package main

import (
	"fmt"
	"time"
)

// measurement is what one run of a contender took.
type measurement struct {
	messages int           // that were measured, in each queue
	cpu      time.Duration // user and system, without startCPU
	startCPU time.Duration // of a start and an end, where that is told apart
	elapsed  time.Duration
	peak     memory // of the whole process's life
	// childrenPeak is the same for processes that it has started, whose CPU time is
	// in cpu.
	childrenPeak memory

	// At a steady rate only:
	latency    latencies
	duplicates int // messages that arrived again
}

// cpuPer100k is in seconds.
func (m measurement) cpuPer100k() float64 {
	return m.cpu.Seconds() * 100_000 / float64(m.messages)
}

// cpuPerMessage is in microseconds.
func (m measurement) cpuPerMessage() float64 {
	return m.cpu.Seconds() * 1e6 / float64(m.messages)
}

// rate is in messages a second.
func (m measurement) rate() float64 { return float64(m.messages) / m.elapsed.Seconds() }

// rss is in MiB, of all processes.
func (m measurement) rss() float64 { return mebibytes(m.peak.plus(m.childrenPeak).rss) }

// own is rss without pages of files.
func (m measurement) own() float64 { return mebibytes(m.peak.plus(m.childrenPeak).own) }

// memory shows rss and own by process.
func (m measurement) memory() string {
	text := m.peak.String()
	if m.childrenPeak.rss > 0 {
		text += " + " + m.childrenPeak.String()
	}
	return text + " MiB"
}

// String shows the measurement in one line.
func (m measurement) String() string {
	if m.latency.max == 0 {
		return fmt.Sprintf("%.2f s CPU, %.0f/s, %s", m.cpuPer100k(), m.rate(), m.memory())
	}
	text := fmt.Sprintf("%.2f s CPU, p50 %.2f ms, p99 %.2f ms, max %.1f ms, %s", m.cpuPer100k(),
		milliseconds(m.latency.p50), milliseconds(m.latency.p99), milliseconds(m.latency.max), m.memory())
	if m.duplicates > 0 {
		text += fmt.Sprintf(", %d duplicates", m.duplicates)
	}
	return text
}
