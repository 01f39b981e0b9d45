// Package boottest runs what overlays ship: RabbitMQ, PostgreSQL and Mosquitto with their files, and feed with its files and
// arguments, as processes on one machine. Addresses, ports and mount paths are others than in a cluster, and nothing else.
// With TLS an authority that the test makes signs in the place of cert-manager's.
package boottest
