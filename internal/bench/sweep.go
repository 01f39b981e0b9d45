package main

import (
	"fmt"
	"slices"
	"strings"
)

// sweep changes one thing of the load and leaves the rest, to see what that
// does to the cost of a message.
type sweep struct {
	title   string
	about   string
	unit    string  // of the values
	values  []value // the first is the baseline
	goals   []goal  // of the last value as a multiple of the baseline
	further *further
}

// value is one load of a sweep.
type value struct {
	label   string // the number, for people
	path    path
	load    load
	waiting int // messages in the queue at a time; 0: all of the load
}

// inPortions says that a run's messages come to the queue in portions.
func (v value) inPortions() bool { return 0 < v.waiting && v.waiting < v.load.messages }

// standing says that a run takes but a part of what waits in the queue.
func (v value) standing() bool { return v.waiting > v.load.messages }

// further is a column of a sweep's table besides the metrics; a value that is
// NaN is not shown.
type further struct {
	name, format string
	of           func(v value, m, baseline measurement) float64
}

// flatPath is the path of all sweeps, with legs of one's own.
func flatPath(name string, legs ...leg) path {
	return path{name: name, title: "AMQP → MQTT 5, QoS 1", legs: legs}
}

// portionOf returns how many messages wait at a time at the baseline of the
// backlog: less than a load has.
func portionOf(l load) int { return min(10_000, max(1, l.messages/2)) }

// flatGoals are the highest multiples of the baseline.
var (
	flatCPU = ratio(cpuMetric, 1.3)
	flatRSS = ratio(rssMetric, 1.5)
)

// sweeps returns the sweeps that the options name, with their numbers.
func sweeps(o options) []sweep {
	return slices.DeleteFunc(allSweeps(o), func(s sweep) bool { return !slices.Contains(o.sweeps, s.name()) })
}

func allSweeps(o options) []sweep {
	return []sweep{deviceSweep(o.load), payloadSweep(o.load), routeSweep(o.load), backlogSweep(o.load, o.backlog)}
}

// name is what -sweeps calls the sweep.
func (s sweep) name() string { return strings.ToLower(s.title) }

// sweepNames returns all that -sweeps takes.
func sweepNames() []string {
	var names []string
	for _, s := range allSweeps(options{}) {
		names = append(names, s.name())
	}
	return names
}

func deviceSweep(l load) sweep {
	s := sweep{
		title: "Devices", unit: "devices",
		about: "Each device has five tags, and each tag a topic of its own. Devices take turns: with as many devices as messages no topic comes again, and what the bridge remembers of topics is of no use: it matches and makes each anew, for about 0.4 µs more.",
		goals: []goal{flatCPU, flatRSS},
	}
	for _, n := range []int{10, 1000, 100_000} {
		l.devices = n
		s.values = append(s.values, value{label: thousands(n), path: flatPath("devices", mqttLeg), load: l})
	}
	return s
}

func payloadSweep(l load) sweep {
	s := sweep{
		title: "Payload", unit: "payload",
		about: "A run with payloads of 64 KiB carries a tenth of the messages. More bytes do cost more, and there is no goal: what matters is that memory stays bounded.",
		further: &further{"CPU per MB of payload, ms", "%.2f", func(v value, m, _ measurement) float64 {
			return milliseconds(m.cpu) * 1e6 / float64(m.messages*v.load.payloadBytes)
		}},
	}
	add := func(label string, bytes, messages int) {
		l.payloadBytes, l.messages = bytes, messages
		s.values = append(s.values, value{label: label, path: flatPath("payload", mqttLeg), load: l})
	}
	n := l.messages
	add("200 B", 200, n)
	add("1 KiB", 1<<10, n)
	add("64 KiB", 64<<10, max(1, n/10))
	return s
}

// routeFactor is how many times the messages of other sweeps those of routes
// carry: 50 routes open and close 100 connections.
const routeFactor = 3

func routeSweep(l load) sweep {
	s := sweep{
		title: "Routes", unit: "routes",
		about: "Routes of one feed, each with a queue that holds an equal part of the messages, and with connections to RabbitMQ and Mosquitto of its own. Opening and closing them is part of the run, which carries three times the messages of the other runs. Brokers serve their connections in turn: with 50, deliveries and acknowledgements come in smaller pieces, for which the feed wakes up more often.",
		goals: []goal{flatCPU},
	}
	l.messages *= routeFactor
	for _, n := range []int{1, 10, 50} {
		l.lines = n
		s.values = append(s.values, value{label: thousands(n), path: flatPath("routes", lineLegs(n)...), load: l})
	}
	s.further = &further{"peak RSS for each further route, MiB", "%.2f", func(v value, m, baseline measurement) float64 {
		return (m.rss() - baseline.rss()) / float64(len(v.path.legs)-1) // of none: NaN
	}}
	return s
}

// lineLegs returns a leg for each of n production lines.
func lineLegs(n int) []leg {
	legs := make([]leg, n)
	for i := range legs {
		legs[i] = mqttLeg
		legs[i].name = fmt.Sprintf("line%d", i+1)
		legs[i].binding = fmt.Sprintf("telemetry.*.line%d.#", i+1)
	}
	return legs
}

func backlogSweep(l load, backlog int) sweep {
	few, many, portion := mqttLeg, mqttLeg, portionOf(l)
	few.name, many.name = "few", "many"
	s := sweep{
		title: "Backlog", unit: "messages waiting",
		about: fmt.Sprintf("How many messages wait in the queue. Each run carries about %s, so that the start of the process weighs the same. The baseline gets them in portions of %s, the next when the last was taken; the feed is halted (SIGSTOP) while RabbitMQ takes in a portion. The other runs take them from the front of a queue that was filled once.", thousands(l.messages), thousands(portion)),
		values: []value{
			{label: thousands(portion), path: flatPath("backlog", few), load: l, waiting: portion},
			{label: thousands(backlog), path: flatPath("backlog", many), load: l, waiting: backlog},
		},
		goals: []goal{flatCPU, flatRSS},
	}
	return s
}

// warmUp returns the value that warms up the servers: the last that is carried
// in full, so that everything can be witnessed.
func (s sweep) warmUp() value {
	for _, v := range slices.Backward(s.values) {
		if !v.standing() {
			v.load = v.load.toWarmUp()
			v.waiting = min(v.waiting, portionOf(v.load))
			return v
		}
	}
	return s.values[0]
}
