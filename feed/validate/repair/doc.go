// Package repair sends readings that a validation misses again, from what the edge
// still has of them: a quarantine, a database, a stream.
//
// A place of the edge is the source of a route for a while. The transforms of the
// route make of it what they always make; behind them everything is filtered that is
// not missing, and the sink takes the rest. So a repair has the promises of a feed:
// what counts as sent is durable, and a repair that ends early can be repeated, with
// copies of the last batch at most.
//
// Nothing is ever taken from the expectation. It would make the two sides equal
// without having repaired anything: that the edge has lost something would no longer
// show.
package repair
