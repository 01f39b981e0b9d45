package main

import (
	"fmt"
	"strings"
)

// page is a text in the making.
type page struct{ strings.Builder }

func (p *page) line(format string, a ...any) { fmt.Fprintf(p, format+"\n", a...) }

// markdown is the report as docs/performance.md.
func (r report) markdown() string {
	p := &page{}
	p.line("# Performance")
	p.line("")
	p.line("<!-- Written by `make bench`; change internal/bench instead. -->")
	p.line("")
	p.line("What the feed costs beside a plain loop over the stock client libraries (amqp091-go, paho.golang, azblob, pgx) that")
	p.line("does the same job: [`internal/bench/plainloop`](../internal/bench/plainloop). The loop, too, keeps thousands of messages in")
	p.line("flight, acknowledges in batches only what is durable, and drains on SIGTERM; but it ends at the first failure: it does")
	p.line("not retry, keep accounts, quarantine or reconnect. A ratio below 1 for CPU, latency and memory, and above 1 for the rate,")
	p.line("is in the feed's favour. The feed needs more memory on every path. Ratios are taken pair by pair, so that their median may")
	p.line("differ from the ratio of the medians where values scatter. Why the feed costs less is told in the records")
	p.line("[5](adr/0005-own-mqtt-publisher.md), [7](adr/0007-own-delivery-decoding.md), [8](adr/0008-json-fields.md) and")
	p.line("[10](adr/0010-few-wake-ups.md); the last one also tells why a message that comes alone costs more than one of a backlog.")
	p.line("What a plugin costs is measured beside a feed that does without.")
	p.line("")
	p.goals(r.checks())
	backlog, steady, plugin := r.byKind()
	if len(backlog) > 0 {
		p.line("")
		p.line("![CPU time and rate of each run](%s)", chartFile)
	}
	for _, result := range backlog {
		r.writeResult(p, result)
	}
	for _, result := range steady {
		r.writeResult(p, result)
		p.line("")
		p.line("![Latency of each run](%s)", latencyChartFile)
	}
	for _, result := range plugin {
		r.writeResult(p, result)
	}
	if r.startup != nil {
		r.writeStartup(p)
	}
	p.flat()
	r.writeMethod(p)
	return p.String()
}

// goals writes the summary.
func (p *page) goals(checks []check) {
	p.line("| | | median (lowest–highest) | goal | |")
	p.line("|---|---|---:|---:|---|")
	for _, c := range checks {
		verdict := c.verdict()
		if !c.met {
			verdict = "**" + verdict + "**"
		}
		p.line("| %s | %s | %s | %s | %s |", c.of, c.what, c.measured, c.goal, verdict)
	}
}

func (r report) writeResult(p *page, result result) {
	p.line("")
	p.line("## %s", result.path.title)
	p.line("")
	p.line("%s", result.path.about)
	p.line("")
	for i, cells := range result.table() {
		p.row(cells)
		if i == 0 {
			p.line("|---|%s", strings.Repeat("---:|", len(cells)-1))
		}
	}
	p.line("")
	p.line("Medians of %d pairs, and in brackets the lowest and the highest value; %s.", len(result.pairs), result.path.pairwise())
	p.line("")
	p.line("<details><summary>Each pair</summary>")
	p.line("")
	feed, baseline := result.path.sides()
	p.line("| pair | %s | %s | CPU ratio |", feed, baseline)
	p.line("|---:|---|---|---:|")
	for i, pair := range result.pairs {
		p.line("| %d | %v | %v | %.2f |", i+1, pair.feed, pair.baseline, pair.ratio(cpuMetric))
	}
	p.line("")
	p.line("CPU time is that of 100,000 messages.")
	p.line("")
	p.line("</details>")
}

func (r report) writeStartup(p *page) {
	p.line("")
	p.line("## Start")
	p.line("")
	p.line("| | median of %d (lowest–highest) |", len(r.startup.ready))
	p.line("|---|---:|")
	p.line("| `feed run`, from the start of the process until `/readyz` says 200 | %s ms |", spread(summarize(r.startup.ready), "%.0f"))
	p.line("| `feed lint %s`, the whole process | %s ms |", linted, spread(summarize(r.startup.lint), "%.0f"))
	p.line("")
	p.line("The first is the feed of the first path, with its brokers up and its queue empty. The binary that `make build` makes has")
	p.line("%s.", r.startup.sizes())
}

// flat leads to the page about how the cost changes with the load.
func (p *page) flat() {
	p.line("")
	p.line("## More of everything")
	p.line("")
	p.line("What a message costs when there are more devices, routes or messages that wait, and when payloads are larger:")
	p.line("[%s](%s), by `make bench-flat`.", flatTitle, flatPageFile)
	p.line("")
	p.line("![CPU time and memory as the load changes](%s)", flatChartFile)
}

// thousands writes a number that is not negative with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
