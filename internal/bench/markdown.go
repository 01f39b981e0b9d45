package main

import (
	"fmt"
	"strings"
	"time"
)

// markdown is the report as docs/performance.md.
func (r report) markdown() string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }

	line("# Performance")
	line("")
	line("<!-- Written by `make bench`; change internal/bench instead. -->")
	line("")
	line("What the feed costs beside a plain loop over the stock client libraries (amqp091-go, paho.golang, azblob) that does")
	line("the same job: [`internal/bench/plainloop`](../internal/bench/plainloop). The loop, too, keeps thousands of messages in")
	line("flight, acknowledges in batches only what is durable, and drains on SIGTERM; but it ends at the first failure: it does")
	line("not retry, keep accounts, quarantine or reconnect. A ratio below 1 for CPU and memory, and above 1 for the rate, is in the")
	line("feed's favour.")
	line("")
	line("![CPU time and rate of each run](performance.svg)")
	for _, result := range r.results {
		line("")
		line("## %s", result.path.title)
		line("")
		line("%s", result.path.about)
		line("")
		line("| | feed | plain loop | feed ÷ plain loop |")
		line("|---|---:|---:|---:|")
		for _, row := range result.rows() {
			line("| %s, %s | %s | %s | %s |", row.metric.name, row.metric.unit,
				spread(row.feed, row.metric.format), spread(row.loop, row.metric.format), spread(row.each, "%.2f"))
		}
		line("")
		line("Medians of %d pairs, and in brackets the lowest and the highest value; the ratio is taken pair by pair.", len(result.pairs))
		line("")
		line("<details><summary>Each pair</summary>")
		line("")
		line("| pair | feed | plain loop | CPU ratio |")
		line("|---:|---|---|---:|")
		for i, ratio := range result.ratios(cpuMetric) {
			line("| %d | %v | %v | %.2f |", i+1, result.pairs[i].feed, result.pairs[i].loop, ratio)
		}
		line("")
		line("CPU time is that of 100,000 messages.")
		line("")
		line("</details>")
	}
	line("")
	line("## Where and when")
	line("")
	line("%s, %s: %s with %d cores%s; %s.", r.machine.when.Format("2 January 2006"), r.machine.system,
		r.machine.cpu, r.machine.cores, prefixed(", ", r.machine.memory), strings.Join(r.machine.versions, ", "))
	line("The servers ran on the same machine and had their share of the cores: rates are those of the whole, and")
	line("would be higher with brokers elsewhere; CPU time is that of the one process. It took %s.", r.took.Round(time.Second))
	line("")
	line("## What is measured")
	line("")
	line("- Each run: %s messages of %d bytes (readings as JSON, of 200 devices) wait, persistent, in a quorum queue of one", thousands(r.messages), payloadBytes)
	line("  node. The contender starts, empties the queue, and gets SIGTERM once RabbitMQ says that everything is settled. The start")
	line("  and the end of the process are part of it.")
	line("- CPU time is user and system time of the process from start to end, as the kernel accounts it.")
	line("- The rate is counted from the start of the process to the last byte that it wrote before everything was settled.")
	line("- Peak RSS is the process's high-water mark (VmHWM).")
	line("- Both use the same servers, queue and prefetch (%s).", prefetches(r.results))
	line("  A pair is a run of each right after the other; which is first alternates. A first pair warms up the servers and is not")
	line("  counted.")
	line("- The feed is the real binary, `feed run`, with its quarantine open and its admin server listening.")
	line("- After each run it is checked that everything arrived: for MQTT by Mosquitto's own count of publishes, and in the")
	line("  first pair by a subscriber; for blobs by reading them.")
	line("")
	line("Not measured: latency, TLS, networks with delay, other message sizes, classic queues and streams, how either behaves")
	line("when something fails, and what the brokers themselves spend.")
	line("")
	line("## Repeat it")
	line("")
	line("```")
	line("make bench")
	line("```")
	line("")
	line("It writes this page anew, and fails when the median CPU ratio of a path is above %.2f. `go run ./internal/bench -h` lists", r.limit)
	line("what can be changed; `-n 50000 -pairs 2 -docs ''` is a quick look, and `-profile` tells where the feed spends its time.")
	line("Leave the machine alone meanwhile: the pairs cancel out what changes slowly, not what comes and goes.")
	return b.String()
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func prefetches(results []result) string {
	texts := make([]string, len(results))
	for i, r := range results {
		texts[i] = fmt.Sprintf("%s for %s", thousands(r.path.prefetch), r.path.name)
	}
	return strings.Join(texts, ", ")
}

// thousands writes a number that is not negative with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
