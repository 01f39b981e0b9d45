// Package feedtest proves that a stage keeps the contracts of package feed.
//
// [TestSource], [TestTransform], [TestSink] and [TestCheckpointer] are
// conformance suites: every stage runs its own, on a fake and on the real
// server. [Queue], [Stream] and [Sink] are in-memory stages that keep the
// contracts strictly and fail on command.
package feedtest
