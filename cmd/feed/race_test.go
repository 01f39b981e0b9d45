//go:build race

package main

// manyReplayed is how many messages tests replay. SQLite, which is C translated to
// Go, takes twenty times as long under the race detector; make test replays all
// of them without it.
const manyReplayed = 1000
