// Package otlp sends what a feed knows of itself to a receiver of OpenTelemetry:
// a span for each delivery that is followed, and the metrics that /metrics shows.
//
// # Traces
//
// A delivery is followed when it comes with a W3C traceparent that is sampled, or,
// without one, by lot. Its span "process ROUTE" lasts from receipt to settlement, and
// messages made of it carry its context on in their metadata, as traceparent: a
// header of AMQP, a user property of MQTT 5, metadata of a line. So the route behind
// the sink, of whatever feed, goes on with the same trace.
//
// Each call of the sink with messages that are followed is a span "send SINK": a child
// of the first delivery's, with links to those of the others. Where many messages are made of
// one delivery the first 128 lead on, and a call has at most 128 links: one trace
// must not become a flood.
//
// # What it costs the feed
//
// Nothing waits for the receiver. At most 4,096 spans wait to be sent; beyond that they are
// dropped and counted. What the receiver refuses is counted, too, and logged when it
// begins and when it is over. [Exporter.Close] sends what waits, within two seconds.
//
// The file alone says where telemetry goes: the variables OTEL_EXPORTER_OTLP_… and
// OTEL_BSP_… have no effect. OTEL_RESOURCE_ATTRIBUTES adds attributes that say where the
// process runs.
package otlp
