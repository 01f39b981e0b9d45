package main

import (
	"time"
)

// metric is one of the things that are measured.
type metric struct {
	name         string
	unit         string
	format       string // of a value, for fmt
	moreIsBetter bool
	value        func(measurement) float64
}

var (
	cpuMetric = metric{name: "CPU per 100,000 messages", unit: "s", format: "%.2f", value: measurement.cpuPer100k}
	// messageCPUMetric is the same for one message.
	messageCPUMetric = metric{name: "CPU per message", unit: "µs", format: "%.2f", value: measurement.cpuPerMessage}
	startMetric      = metric{name: "CPU of a start", unit: "ms", format: "%.0f", value: func(m measurement) float64 { return milliseconds(m.startCPU) }}
	rateMetric       = metric{name: "rate", unit: "messages/s", format: "%.0f", moreIsBetter: true, value: measurement.rate}
	rssMetric        = metric{name: "peak RSS", unit: "MiB", format: "%.1f", value: measurement.rss}
	ownMetric        = metric{name: "peak memory of its own", unit: "MiB", format: "%.1f", value: measurement.own}
	p50Metric        = latencyMetric("latency p50", func(l latencies) time.Duration { return l.p50 })
	p99Metric        = latencyMetric("latency p99", func(l latencies) time.Duration { return l.p99 })
	maxMetric        = latencyMetric("highest latency", func(l latencies) time.Duration { return l.max })
)

func latencyMetric(name string, of func(latencies) time.Duration) metric {
	return metric{name: name, unit: "ms", format: "%.2f", value: func(m measurement) float64 {
		return milliseconds(of(m.latency))
	}}
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
