package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kraft-edge/datafeed/feed"
)

// quarantineFigures is what a quarantine tells of itself.
type quarantineFigures interface {
	Len(context.Context) (int64, error)
	Bytes(context.Context) (feed.Size, error)
	Removed() (aged, displaced int64)
}

// quarantineCollector shows how full a quarantine is, and what retention has
// removed.
type quarantineCollector struct {
	quarantine                   quarantineFigures
	up, messages, bytes, removed *prometheus.Desc
}

func newQuarantineCollector(feedName string, q quarantineFigures) *quarantineCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("datafeed_quarantine_"+name, help, labels, prometheus.Labels{"feed": feedName})
	}
	return &quarantineCollector{
		quarantine: q,
		up:         desc("up", "Whether the quarantine could be read: 1 or 0."),
		messages:   desc("messages", "Messages that stand in the quarantine."),
		bytes:      desc("bytes", "Bytes that count against the bound of the quarantine."),
		removed:    desc("removed_total", "Messages that retention has removed from the quarantine: too old, or to make room (age, size).", "reason"),
	}
}

// Describe implements prometheus.Collector.
func (c *quarantineCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.messages, c.bytes, c.removed} {
		ch <- d
	}
}

// readTimeout bounds how long a scrape waits for the quarantine.
const readTimeout = time.Second

// Collect implements prometheus.Collector. A quarantine that does not answer
// keeps the other figures of the feed from nobody.
func (c *quarantineCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	aged, displaced := c.quarantine.Removed()
	ch <- prometheus.MustNewConstMetric(c.removed, prometheus.CounterValue, float64(aged), "age")
	ch <- prometheus.MustNewConstMetric(c.removed, prometheus.CounterValue, float64(displaced), "size")
	messages, err := c.quarantine.Len(ctx)
	bytes, bytesErr := c.quarantine.Bytes(ctx)
	if errors.Join(err, bytesErr) != nil { // the route reports why, when it needs the quarantine
		ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 1)
	ch <- prometheus.MustNewConstMetric(c.messages, prometheus.GaugeValue, float64(messages))
	ch <- prometheus.MustNewConstMetric(c.bytes, prometheus.GaugeValue, float64(bytes))
}
