// Package capacity reckons how long an outage the disks of a feed bridge.
//
// A [Plan] lists stores: queues and streams of RabbitMQ, sessions of Mosquitto,
// tables, quarantines, caches, ledgers. Each lies on a volume, grows by so many
// records a second while nothing leaves it, and has bounds. [Plan.Reckon] says
// for each store and each volume how long it takes until something is full, what
// that is, and what happens then: whether senders are held back, or messages
// lost.
//
// Nothing here connects to anything. What a record takes on disk stands in
// cost.go; tests measure it on the real servers.
//
// The reckoning is for the worst case: each queue gets every reading, all of them
// fill at once, and nothing leaves. RabbitMQ is taken for one node with one copy
// of each message.
package capacity
