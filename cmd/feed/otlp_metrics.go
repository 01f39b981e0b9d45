package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kraft-edge/datafeed/internal/otlp"
)

// otlpCollector shows what became of the telemetry that is sent.
type otlpCollector struct {
	figures        func() otlp.Figures
	spans, reports *prometheus.Desc
}

func newOTLPCollector(feedName string, figures func() otlp.Figures) *otlpCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("datafeed_otlp_"+name, help, []string{"result"}, prometheus.Labels{"feed": feedName})
	}
	return &otlpCollector{
		figures: figures,
		spans:   desc("spans_total", "Spans that have ended, by what became of them: sent, failed (the receiver was not there or refused them), dropped (too many waited)."),
		reports: desc("metrics_reports_total", "Reports of the metrics, by what became of them: sent or failed."),
	}
}

// Describe implements prometheus.Collector.
func (c *otlpCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.spans
	ch <- c.reports
}

// Collect implements prometheus.Collector.
func (c *otlpCollector) Collect(ch chan<- prometheus.Metric) {
	f := c.figures()
	count := func(d *prometheus.Desc, n uint64, result string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), result)
	}
	count(c.spans, f.SpansSent, "sent")
	count(c.spans, f.SpansFailed, "failed")
	count(c.spans, f.SpansDropped, "dropped")
	count(c.reports, f.Reports, "sent")
	count(c.reports, f.ReportsFailed, "failed")
}
