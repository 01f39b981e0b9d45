package main

import (
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/bridge"
	"github.com/kraft-edge/datafeed/stages/mqtt"
)

// flatTitle is the title of the page.
const flatTitle = "Cost as the load grows"

// markdown is the report as docs/performance-flat.md.
func (r flatReport) markdown() string {
	p := &page{}
	p.line("# %s", flatTitle)
	p.line("")
	p.line("<!-- Written by `make bench-flat`; change internal/bench instead. -->")
	p.line("")
	p.line("What the feed costs for each message, from a quorum queue to MQTT with QoS 1 through the bridge, when one thing of the load")
	p.line("grows and the rest stays. Beside a plain loop: [performance](%s).", pageFile)
	p.line("")
	p.goals(r.checks())
	p.line("")
	p.line("![CPU time and memory as the load changes](%s)", flatChartFile)
	for _, result := range r.results {
		p.sweep(result)
	}
	p.bounds()
	p.where(r.machine)
	p.line("The servers ran on the same machine and had their share of the cores. It took %s.", r.took.Round(time.Second))
	r.writeMethod(p)
	return p.String()
}

func (p *page) sweep(r sweepResult) {
	p.line("")
	p.line("## %s", r.sweep.title)
	p.line("")
	p.line("%s", r.sweep.about)
	p.line("")
	header := r.header()
	p.row(header)
	p.line("|%s", strings.Repeat("---:|", len(header)))
	for i := range r.sweep.values {
		p.row(r.row(i))
	}
	p.line("")
	p.line("Medians of %d rounds, and in brackets the lowest and the highest value; a multiple is taken within a round.", len(r.rounds))
}

func (p *page) row(cells []string) { p.line("| %s |", strings.Join(cells, " | ")) }

// bounds says which settings bound the memory, with the values that the runs
// had.
func (p *page) bounds() {
	p.line("")
	p.line("## What bounds the memory")
	p.line("")
	p.line("Settings of each route, and none of them follows from how much waits in the queue or how many devices there are:")
	p.line("")
	p.line("| setting | here | what it bounds |")
	p.line("|---|---:|---|")
	p.line("| `amqp.prefetch` | %s | messages that are handed out and not settled: their number |", thousands(mqttLeg.prefetch))
	p.line("| `amqp.readAhead` | %v | payload bytes that wait for the route |", amqp.DefaultSourceConfig().ReadAhead)
	p.line("| `batch.maxMessages`, `batch.maxBytes` | %s, %v | a batch on its way through the route; `maxBytes` is passed by one message at most |", thousands(feed.DefaultBatchLimits.MaxMessages), feed.DefaultBatchLimits.MaxBytes)
	p.line("| `mqtt.maxInflight` | %s | publishes that wait for their acknowledgement |", thousands(mqtt.DefaultConfig().MaxInflight))
	p.line("| `bridge.cacheKeys` | %s | topics that are remembered, about 250 bytes each |", thousands(bridge.DefaultConfig().CacheKeys))
	p.line("")
	p.line("Besides, Go's garbage collector lets the heap grow to twice what is in use before it collects.")
}

func (r flatReport) writeMethod(p *page) {
	o := r.options
	p.line("")
	p.line("## What is measured")
	p.line("")
	p.line("- The feed is the real binary, built as `make build` does, with its quarantine open and its admin server listening. Unless")
	p.line("  the sweep says otherwise a run carries %s messages, readings as JSON of %d bytes of %s devices, persistent, which wait in", thousands(o.messages), o.payloadBytes, thousands(o.devices))
	p.line("  a quorum queue of one node; there is one route. The feed starts, carries them and gets SIGTERM.")
	p.line("- CPU time is user and system time of the process from start to end, as the kernel accounts it. Peak RSS is the process's")
	p.line("  high-water mark (VmHWM), in MiB.")
	p.line("- A round is a run of each value, one right after the other. A run of a quarter, which an MQTT subscriber witnesses, warms up")
	p.line("  the servers before each sweep and is not counted.")
	p.line("- After each run it is checked that what the queues no longer hold has arrived once, by Mosquitto's own count of publishes.")
	p.line("")
	p.line("## Repeat it")
	p.line("")
	p.line("```")
	p.line("make bench-flat")
	p.line("```")
	p.line("")
	p.line("It writes this page anew, and fails when a goal is missed. `go run ./internal/bench -flat -n 20000 -backlog 200000 -docs ''`")
	p.line("is a quick look, in which the start of the process weighs more. Leave the machine alone meanwhile.")
}
