// Command bench measures what the feed costs: CPU time for 100,000 messages,
// messages a second and peak memory, side by side with a plain loop over the
// stock client libraries that does the same job (see plainloop).
//
//	go run ./internal/bench                     # both paths, five pairs: some ten minutes
//	go run ./internal/bench -n 50000 -pairs 2   # a quick look
//	go run ./internal/bench -profile            # where the feed spends its time
//
// It starts servers of its own (RabbitMQ, Mosquitto, Azurite), the same for
// all. Before each run it fills a quorum queue; the contender then starts, as a
// process of its own, empties the queue, and is told to stop once everything is
// settled. A pair is one run of each, in alternating order, so that what else
// happens on the machine meets both; the first pair of each path warms up the
// servers and is not counted, and an MQTT subscriber looks on that everything
// arrives. In all other runs the servers' own figures say that it did.
//
// It prints tables, writes docs/performance.md and docs/performance.svg, and
// ends with exit code 1 when the feed takes more CPU than the limit allows.
package main
