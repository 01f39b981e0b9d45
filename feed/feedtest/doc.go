// Package feedtest proves that a stage keeps the contracts of package feed.
//
// [TestSource], [TestTransform] and [TestSink] are conformance suites: every
// stage runs its own, on a fake and on the real server. [Queue] and [Sink] are
// in-memory stages that keep the contracts strictly and fail on command.
package feedtest
