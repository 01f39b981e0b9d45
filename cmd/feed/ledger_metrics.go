package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kraft-edge/datafeed/feed/ledger"
)

// ledgerCollector shows how much a ledger holds, and what it could not keep.
type ledgerCollector struct {
	figures                        func() ledger.Figures
	records, lost, bytes, segments *prometheus.Desc
}

func newLedgerCollector(feedName string, figures func() ledger.Figures) *ledgerCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("datafeed_ledger_"+name, help, nil, prometheus.Labels{"feed": feedName})
	}
	return &ledgerCollector{
		figures:  figures,
		records:  desc("records_total", "Messages whose end the ledger was told, those that it lost included."),
		lost:     desc("lost_total", "Messages of which the ledger kept nothing: the disk was full or failed, or did not keep up. They went their way."),
		bytes:    desc("bytes", "Bytes of the ledger."),
		segments: desc("segments", "Files of the ledger."),
	}
}

// Describe implements prometheus.Collector.
func (c *ledgerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.records, c.lost, c.bytes, c.segments} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *ledgerCollector) Collect(ch chan<- prometheus.Metric) {
	f := c.figures()
	ch <- prometheus.MustNewConstMetric(c.records, prometheus.CounterValue, float64(f.Records))
	ch <- prometheus.MustNewConstMetric(c.lost, prometheus.CounterValue, float64(f.Lost))
	ch <- prometheus.MustNewConstMetric(c.bytes, prometheus.GaugeValue, float64(f.Bytes))
	ch <- prometheus.MustNewConstMetric(c.segments, prometheus.GaugeValue, float64(f.Segments))
}
