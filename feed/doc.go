// Package feed moves messages from a source through transforms to a sink and
// accounts for every one of them.
//
// # Terms
//
// A feed runs routes. A [Route] leads from one source through transforms to
// one sink. A source is a [message.Subscriber], a transform a
// [message.HandlerFunc], a sink a [message.Publisher]: any Watermill Pub/Sub
// can serve as a stage. Stages that carry whole batches implement the small
// optional interfaces of this package ([BatchSubscriber], [BatchPublisher],
// [Prober], …), which the route finds by type assertion.
//
// The [Batch] is the unit that moves. A route receives an ordered run of
// deliveries, transforms it, hands it to the sink in one call and settles it.
// While one batch is written the next one gathers, so a batch is one message
// when traffic is low and grows with the load.
//
// # Delivery
//
// A route promises at-least-once: a delivery is settled only after the sink
// has said that every message made from it is durable, after a transform
// filtered it with a reason, or after the quarantine has stored it. Whatever
// else happens, the delivery goes back to its source and comes again.
//
// From a stream ([OffsetSubscriber]) to a sink that remembers how far it has
// come ([Checkpointer]) a route promises more: each message is stored exactly
// once. It cuts batches at the boundaries of deliveries, tells the sink which
// offsets each covers, and goes on where the sink says. What is committed is
// never read again, so the quarantine has what it is to have before that.
//
// # Accounting
//
// For every route, at every moment,
//
//	received = delivered + filtered + quarantined + returned + in flight
//
// where in flight is counted from the deliveries that are unsettled and never
// derived from the other terms. [Account.Check] says whether it holds.
package feed
