// Package feedtest proves that a stage keeps the contracts of package feed.
//
// [TestSource] and [TestSink] are conformance suites: every source and every
// sink runs them, on a fake and on the real server. [Queue] and [Sink] are
// in-memory stages that keep the contracts strictly and fail on command.
package feedtest
