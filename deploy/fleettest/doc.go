// Package fleettest reads what a fleet is made of with the code of those who will: Helm's engine renders the chart, and
// Flux's own types decode its objects. It is a module of its own, so that none of that code comes near the feed's.
package fleettest
