package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kraft-edge/datafeed/plugins/host"
)

// pluginCollector shows whether plugins run, and why they were started again.
type pluginCollector struct {
	plugins           func() []host.Plugin
	restarts, up, rss *prometheus.Desc
}

func newPluginCollector(feedName string, plugins func() []host.Plugin) *pluginCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("datafeed_plugin_"+name, help, append([]string{"plugin"}, labels...), prometheus.Labels{"feed": feedName})
	}
	return &pluginCollector{
		plugins:  plugins,
		restarts: desc("restarts_total", "How often the process of the plugin has ended and was to be started again, by reason: exit, signal, hang, memory, answer, start.", "reason"),
		up:       desc("up", "1 when the process of the plugin runs."),
		rss:      desc("resident_memory_bytes", "Bytes of memory that the process of the plugin and those that it has started hold."),
	}
}

// Describe implements prometheus.Collector.
func (c *pluginCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.restarts, c.up, c.rss} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *pluginCollector) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.plugins() {
		up := 0.0
		if p.State == host.StateRunning {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, up, p.Name)
		ch <- prometheus.MustNewConstMetric(c.rss, prometheus.GaugeValue, float64(p.RSS), p.Name)
		for reason, n := range p.Restarts {
			ch <- prometheus.MustNewConstMetric(c.restarts, prometheus.CounterValue, float64(n), p.Name, reason)
		}
	}
}
