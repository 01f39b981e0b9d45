//go:build !race

package main

// manyReplayed is how many messages tests replay.
const manyReplayed = 10_000
