package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// writeMethod writes where, when and how it was measured, and how to repeat it.
func (r report) writeMethod(p *page) {
	o := r.options
	p.where(r.machine)
	p.line("The servers ran on the same machine and had their share of the cores: rates are those of the whole, and")
	p.line("would probably be higher with brokers elsewhere; CPU time is that of the one process. It took %s.", r.took.Round(time.Second))
	p.line("")
	p.line("## What is measured")
	p.line("")
	p.line("- The feed is the real binary, built as `make build` does, with its quarantine open and its admin server listening. Both")
	p.line("  contenders use the same servers, queues and prefetch (%s). Mosquitto's limits of what is in", r.prefetches())
	p.line("  flight and queued are off. Neither is told how many threads to use: the feed takes one for each of its routes, the plain")
	p.line("  loop, like any Go program, one for each core. PostgreSQL does not sync to disk.")
	p.line("- Messages are readings as JSON of %d bytes, of %s devices, persistent, in quorum queues of one node.", o.payloadBytes, thousands(o.devices))
	p.line("- A pair is a run of each contender right after the other; which is first alternates.")
	p.line("- Peak RSS is the process's high-water mark (VmHWM), in MiB. Memory of its own is what of the RSS is no page of a file (RssAnon),")
	p.line("  looked at every %v. The rest are pages of the program's file: Linux maps 64 KiB around each page that is used, all processes of", lookEvery)
	p.line("  the same file share them, and they are taken back when memory is short. The feed has all of its stages in one file; a program that")
	p.line("  [embeds](../examples/embed) those that it needs has a smaller one.")
	backlog, steady, plugin := r.byKind()
	if len(backlog) > 0 {
		p.line("- Paths that empty queues: %s messages wait in each queue. The contender starts, empties them, and gets SIGTERM once", thousands(o.messages))
		p.line("  RabbitMQ says that everything is settled. CPU time is user and system time of the process from start to end, as the")
		p.line("  kernel accounts it. The rate is counted from the start of the process to the last byte that it wrote before everything")
		p.line("  was settled. A first pair, of a quarter, warms up the servers and is not counted. After each run it is checked that everything arrived")
		p.line("  once: for MQTT by Mosquitto's own count of publishes, and in the first pair by a subscriber; for blobs and tables by reading")
		p.line("  them. The whole feed has its end when the queue of batches was empty, and after that all queues were.")
	}
	if len(plugin) > 0 {
		p.line("- With a transform in a plugin: both sides are the feed, with batches of %s messages. The plugin,", thousands(plugin[0].path.legs[0].batch))
		p.line("  [`internal/bench/bridgeplugin`](../internal/bench/bridgeplugin), serves the feed's own bridge; the feed runs it as any other, its")
		p.line("  checksum compared and the connection encrypted. CPU time is that of the feed and of the plugin together, less that of a")
		p.line("  start with an empty queue right before, which is shown by itself: the file of a plugin is copied and hashed then, and keys are")
		p.line("  made. Peak RSS is the sum of both; each pair shows the two. For both sides the rate is counted to the last time that the feed wrote %s", thousands(leastWork))
		p.line("  bytes within %v: a plugin's heartbeat is less.", lookEvery)
	}
	if len(steady) > 0 {
		p.line("- At a steady rate: %s messages a second, each at its time by the clock and not by pauses between them, for %v to run", thousands(o.rate), o.runIn)
		p.line("  in, and then for %v that are measured. A message carries the time at which it was handed to RabbitMQ's client; latency", o.measured)
		p.line("  is from then until a QoS 0 subscriber of its own has it, by one monotonic clock of one process on the same machine. It")
		p.line("  includes what RabbitMQ, Mosquitto and the subscriber take, for both contenders alike. CPU time is what /proc/PID/stat")
		p.line("  says of the measured time alone, in steps of 10 ms. Everything that is published has to arrive; %s.", r.duplicates(steady))
	}
	p.line("")
	p.line("Not measured: TLS, networks with delay, classic queues and streams, how either behaves when something fails, and what the")
	p.line("brokers themselves spend.")
	p.line("")
	p.line("## Repeat it")
	p.line("")
	p.line("```")
	p.line("make bench")
	p.line("```")
	p.line("")
	p.line("It writes this page anew, and fails when a goal is missed. `go run ./internal/bench -h` lists what can be changed;")
	p.line("`-n 50000 -pairs 2 -docs ''` is a quick look, and `-profile` tells where the feed spends its time.")
	p.line("Leave the machine alone meanwhile: the pairs cancel out what changes slowly, not what comes and goes.")
}

// where writes when it was measured, and on what machine.
func (p *page) where(m machine) {
	p.line("")
	p.line("## Where and when")
	p.line("")
	p.line("%s, %s: %s with %d cores%s; %s.", m.when.Format("2 January 2006"), m.system,
		m.cpu, m.cores, prefixed(", ", m.memory), strings.Join(m.versions, ", "))
}

// prefetches names the prefetch of each job.
func (r report) prefetches() string {
	var texts []string
	for _, result := range r.results {
		for _, l := range result.path.legs {
			if text := fmt.Sprintf("%s for %s", thousands(l.prefetch), l.job); !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return strings.Join(texts, ", ")
}

// duplicates says how many messages came again.
func (r report) duplicates(results []result) string {
	feed, baseline := 0, 0
	for _, result := range results {
		for _, p := range result.pairs {
			feed, baseline = feed+p.feed.duplicates, baseline+p.baseline.duplicates
		}
	}
	return fmt.Sprintf("duplicates: %d of the feed, %d of the plain loop", feed, baseline)
}
