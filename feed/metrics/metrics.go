// Package metrics shows the status of a feed to Prometheus.
//
// The figures are read from one [feed.Status] per scrape, so that those of a
// route fit together:
//
//	received = delivered + filtered + quarantined + returned + in flight
//
// datafeed_account_imbalance is the difference between the two sides, and 0 as
// long as every message is accounted for: alert on anything else.
package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kraft-edge/datafeed/feed"
)

// The values of the label scope: what a source handed out, and what the
// transforms made of it.
const (
	scopeDelivery = "delivery"
	scopeProduced = "produced"
)

// states are the values of the label state.
var states = []feed.State{
	feed.StateStarting, feed.StateRunning, feed.StateRetrying, feed.StatePaused, feed.StateDraining, feed.StateStopped,
}

// Collector returns a collector that calls status once per scrape. status must
// be safe for concurrent use, as [feed.Feed.Status] is.
func Collector(status func() feed.Status) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("datafeed_"+name, help, append([]string{"feed", "route"}, labels...), nil)
	}
	return &collector{
		status:      status,
		received:    desc("messages_received_total", "Messages that entered the scope.", "scope"),
		delivered:   desc("messages_delivered_total", "Messages that are durable in the sink.", "scope"),
		filtered:    desc("messages_filtered_total", "Messages that a transform dropped on purpose, or that stood in the sink already, by reason.", "scope", "reason"),
		quarantined: desc("messages_quarantined_total", "Messages that stand in the quarantine, by the stage that gave them up.", "scope", "stage"),
		returned:    desc("messages_returned_total", "Messages that went back to their source and come again, by reason.", "scope", "reason"),
		inFlight:    desc("messages_in_flight", "Messages that are unsettled now.", "scope"),
		imbalance:   desc("account_imbalance", "Received minus delivered, filtered, quarantined, returned and in flight: 0 when every message is accounted for.", "scope"),
		batches:     desc("batches_total", "Batches that were settled."),
		retries:     desc("retries_total", "Tries of a sink that were not the first."),
		redelivered: desc("redelivered_total", "Messages that the broker had handed out before."),
		reordered:   desc("reordered_total", "Messages that were delivered after a later one of their key."),
		settleLost:  desc("settle_lost_total", "Messages that ended well but could not be settled, so that they come again."),
		parked:      desc("messages_parked", "Messages of failing keys that are set aside now."),
		committed:   desc("offset_committed", "Last offset of the stream that is stored; -1 when there is none.", "stream"),
		offset:      desc("offset_received", "Last offset that the stream has handed out; -1 when there is none.", "stream"),
		generation:  desc("offset_generation", "Generation of the stream: it grows when the stream is not the one that was stored.", "stream"),
		missing:     desc("offsets_missing_total", "Offsets that the retention of the stream has dropped before they were read.", "stream"),
		renewed:     desc("generations_begun_total", "Generations that were begun because the stream was another one.", "stream"),
		events:      desc("stage_events_total", "What has happened to a stage beside the messages, such as lost connections.", "kind", "stage", "event"),
		gauges:      desc("stage_value", "A figure of a stage, such as how many readings are missing.", "kind", "stage", "name"),
		state:       desc("route_state", "1 for the state that the route is in, 0 for the others.", "state"),
		ready:       desc("route_ready", "Whether the route can move messages: 1 or 0."),
		feedReady:   prometheus.NewDesc("datafeed_ready", "Whether all routes are ready: 1 or 0.", []string{"feed"}, nil),
		started:     prometheus.NewDesc("datafeed_start_time_seconds", "When the feed was made, in seconds since 1970.", []string{"feed"}, nil),
	}
}

type collector struct {
	status func() feed.Status

	received, delivered, filtered, quarantined, returned, inFlight, imbalance *prometheus.Desc
	batches, retries, redelivered, reordered, settleLost, parked              *prometheus.Desc
	committed, offset, generation, missing, renewed                           *prometheus.Desc
	events, gauges, state, ready, feedReady, started                          *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.received, c.delivered, c.filtered, c.quarantined, c.returned, c.inFlight, c.imbalance,
		c.batches, c.retries, c.redelivered, c.reordered, c.settleLost, c.parked,
		c.committed, c.offset, c.generation, c.missing, c.renewed, c.events, c.gauges, c.state, c.ready, c.feedReady, c.started,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.status()
	ch <- prometheus.MustNewConstMetric(c.feedReady, prometheus.GaugeValue, oneIf(s.Ready), s.Feed)
	ch <- prometheus.MustNewConstMetric(c.started, prometheus.GaugeValue, float64(s.Started.UnixNano())/1e9, s.Feed)
	for _, r := range s.Routes {
		e := emitter{ch, s.Feed, r.Name}
		c.account(e, scopeDelivery, r.Deliveries)
		c.account(e, scopeProduced, r.Produced)
		e.counter(c.batches, r.Batches)
		e.counter(c.retries, r.Retries)
		e.counter(c.redelivered, r.Redelivered)
		e.counter(c.reordered, r.Reordered)
		e.counter(c.settleLost, r.SettleLost)
		e.gauge(c.parked, float64(r.Parked))
		if o := r.Offsets; o != nil {
			e.gauge(c.committed, float64(o.Committed), o.Stream)
			e.gauge(c.offset, float64(o.Received), o.Stream)
			e.gauge(c.generation, float64(o.Generation), o.Stream)
			e.counter(c.missing, o.Missing, o.Stream)
			e.counter(c.renewed, o.Renewed, o.Stream)
		}
		for _, v := range r.Events {
			e.counter(c.events, v.Count, string(v.Kind), v.Stage, v.Event)
		}
		for _, v := range r.Gauges {
			e.gauge(c.gauges, v.Value, string(v.Kind), v.Stage, v.Gauge)
		}
		e.gauge(c.ready, oneIf(r.Ready))
		for _, state := range states {
			e.gauge(c.state, oneIf(r.State == state), string(state))
		}
	}
}

func (c *collector) account(e emitter, scope string, a feed.Account) {
	e.counter(c.received, a.Received, scope)
	e.counter(c.delivered, a.Delivered, scope)
	for reason, n := range a.Filtered {
		e.counter(c.filtered, n, scope, reason)
	}
	for stage, n := range a.Quarantined {
		e.counter(c.quarantined, n, scope, stage)
	}
	for reason, n := range a.Returned {
		e.counter(c.returned, n, scope, reason)
	}
	e.gauge(c.inFlight, float64(a.InFlight), scope)
	out := a.Delivered + feed.Total(a.Filtered) + feed.Total(a.Quarantined) + feed.Total(a.Returned) + a.InFlight
	e.gauge(c.imbalance, float64(int64(a.Received-out)), scope) // the difference wraps round to a negative one
}

// emitter sends the metrics of one route.
type emitter struct {
	ch          chan<- prometheus.Metric
	feed, route string
}

func (e emitter) counter(d *prometheus.Desc, n uint64, labels ...string) {
	e.send(d, prometheus.CounterValue, float64(n), labels)
}

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.send(d, prometheus.GaugeValue, v, labels)
}

func (e emitter) send(d *prometheus.Desc, t prometheus.ValueType, v float64, labels []string) {
	values := []string{e.feed, e.route}
	for _, l := range labels {
		values = append(values, strings.ToValidUTF8(l, "\uFFFD")) // one foreign reason must not fail the whole scrape
	}
	e.ch <- prometheus.MustNewConstMetric(d, t, v, values...)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
