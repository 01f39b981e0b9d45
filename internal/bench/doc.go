// Command bench measures what the feed costs: CPU time for 100,000 messages,
// messages a second, latency at a steady rate and peak memory, side by side
// with a plain loop over the stock client libraries that does the same job (see
// plainloop); and how long the feed takes to start.
//
//	go run ./internal/bench                     # everything, seven pairs
//	go run ./internal/bench -n 50000 -pairs 2   # a quick look
//	go run ./internal/bench -paths mqtt,steady  # some of it
//	go run ./internal/bench -profile            # where the feed spends its time
//	go run ./internal/bench -flat               # how the cost changes with the load
//	go run ./internal/bench -flat -sweeps routes
//
// It starts servers of its own (RabbitMQ, Mosquitto, PostgreSQL, Azurite), the same for
// all. A path is what both contenders do, by one or more legs from a queue to a
// destination. A pair is one run of each, in alternating order, so that what
// else happens on the machine meets both.
//
// On most paths the queues are filled first; the contender then starts, as a
// process of its own, empties them, and is told to stop once everything is
// settled. The first pair of each path warms up the servers and is not counted,
// and an MQTT subscriber looks on that everything arrives. In all other runs
// the servers' own figures say that it did. On the path steady messages come
// evenly, and a subscriber notes how long each has taken.
//
// On the path plugin the feed is compared with itself: with its transform in a
// plugin (see bridgeplugin), and with the same one in its own process. CPU time is
// then that of both processes.
//
// With -flat there is no plain loop. Sweeps change one thing of the load
// (devices, payload, routes, messages that wait) and compare the feed's CPU time
// for a message and its peak memory with those of the smallest load, round by
// round. That makes docs/performance-flat.md.
//
// Each path has goals. It prints tables, writes docs/performance.md and its
// charts, and ends with exit code 1 when a goal is missed.
package main
