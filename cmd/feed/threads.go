package main

import (
	"os"
	"runtime"
)

// limitThreads has as many threads run Go code at once as there are routes,
// unless GOMAXPROCS says how many. A route is a chain of short steps that wait
// for each other: a second thread does little of it, and is woken and put to
// sleep for each of them.
func limitThreads(routes int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(max(routes, 1), runtime.GOMAXPROCS(0)))
	}
}
