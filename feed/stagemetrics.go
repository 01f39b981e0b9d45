package feed

import (
	"maps"
	"math"
	"slices"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// EventCounter is the optional interface of a source or a sink that counts what
// happens to it, such as lost connections. What becomes of messages is the
// route's to count. Of a transform see [Transform.Events].
type EventCounter interface {
	// Events returns how often each event has happened since the stage was
	// made, those that never happened included. The names are few and constant,
	// as they become labels: lower case with underscores. It does not block, is
	// safe for concurrent use, and the map is the caller's.
	Events() map[string]uint64
}

// EventCounts counts the events of a stage. It is safe for concurrent use.
type EventCounts struct{ counts map[string]*atomic.Uint64 }

// NewEventCounts returns counters of the named events, all at 0.
func NewEventCounts(names ...string) *EventCounts {
	e := &EventCounts{counts: make(map[string]*atomic.Uint64, len(names))}
	for _, name := range names {
		e.counts[name] = new(atomic.Uint64)
	}
	return e
}

// Add counts n times an event. It panics when NewEventCounts was not told its name:
// a mistake of the program.
func (e *EventCounts) Add(name string, n int) {
	if n > 0 {
		e.counts[name].Add(uint64(n))
	}
}

// Events implements [EventCounter] for the stage that returns it.
func (e *EventCounts) Events() map[string]uint64 {
	all := make(map[string]uint64, len(e.counts))
	for name, n := range e.counts {
		all[name] = n.Load()
	}
	return all
}

// StageEvent says how often something has happened to a stage of a route.
type StageEvent struct {
	Kind  Kind   `json:"kind"`
	Stage string `json:"stage"`
	Event string `json:"event"`
	Count uint64 `json:"count"`
}

// GaugeReader is the optional interface of a sink that has figures of its own
// which go up and down, such as how many readings are missing.
type GaugeReader interface {
	// Gauges returns the figures as they are now. Those that are not known are left
	// out. The names are few and constant, as they become labels: lower case with
	// underscores and the unit, such as lag_seconds. It does not block, is safe for
	// concurrent use, and the map is the caller's.
	Gauges() map[string]float64
}

// StageGauge is a figure of a stage of a route.
type StageGauge struct {
	Kind  Kind    `json:"kind"`
	Stage string  `json:"stage"`
	Gauge string  `json:"gauge"`
	Value float64 `json:"value"`
}

// stageGauges lists the figures of the route's sink. What is no number is left out.
func (r Route) stageGauges() []StageGauge {
	gauges := gaugesOf(r.Sink)
	var list []StageGauge
	for _, name := range slices.Sorted(maps.Keys(gauges)) {
		if v := gauges[name]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			list = append(list, StageGauge{Kind: KindSink, Stage: r.SinkName, Gauge: name, Value: v})
		}
	}
	return list
}

// stageEvents lists what the route's stages have counted.
func (r Route) stageEvents() []StageEvent {
	list := eventsOf(nil, KindSource, r.SourceName, r.Source)
	for _, t := range r.Transforms {
		if t.Events != nil {
			list = appendEvents(list, KindTransform, t.Name, t.Events())
		}
	}
	return eventsOf(list, KindSink, r.SinkName, r.Sink)
}

func eventsOf(list []StageEvent, kind Kind, name string, stage any) []StageEvent {
	if c, ok := stage.(EventCounter); ok {
		return appendEvents(list, kind, name, c.Events())
	}
	return list
}

// appendEvents appends the events of a stage, by their names. Those of stages of
// one kind and name are added up.
func appendEvents(list []StageEvent, kind Kind, name string, events map[string]uint64) []StageEvent {
	for _, event := range slices.Sorted(maps.Keys(events)) {
		same := func(e StageEvent) bool { return e.Kind == kind && e.Stage == name && e.Event == event }
		if i := slices.IndexFunc(list, same); i >= 0 {
			list[i].Count += events[event]
			continue
		}
		list = append(list, StageEvent{Kind: kind, Stage: name, Event: event, Count: events[event]})
	}
	return list
}

// Events adds up what the sinks have counted.
func (a *all) Events() map[string]uint64 { return sumOfEvents(a.sinks...) }

// Events is what the publisher has counted, where it does.
func (d *durablePublisher) Events() map[string]uint64 { return sumOfEvents(d.Publisher) }

func sumOfEvents(sinks ...message.Publisher) map[string]uint64 {
	sum := map[string]uint64{}
	for _, s := range sinks {
		if c, ok := s.(EventCounter); ok {
			for event, n := range c.Events() {
				sum[event] += n
			}
		}
	}
	return sum
}

// Gauges are the figures of the sinks; of two that have the same the first counts.
func (a *all) Gauges() map[string]float64 { return gaugesOf(a.sinks...) }

// Gauges are the figures of the publisher, where it has some.
func (d *durablePublisher) Gauges() map[string]float64 { return gaugesOf(d.Publisher) }

func gaugesOf(sinks ...message.Publisher) map[string]float64 {
	all := map[string]float64{}
	for _, s := range slices.Backward(sinks) {
		if g, ok := s.(GaugeReader); ok {
			maps.Copy(all, g.Gauges())
		}
	}
	return all
}
