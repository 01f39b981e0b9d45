// Package amqp consumes from and publishes to RabbitMQ (AMQP 0-9-1).
//
// # Terms
//
// A [Source] consumes from one queue or stream; the topic of its subscription is the
// name of that queue. A [Sink] publishes to one exchange; a message's topic is
// its routing key. The other way round, the routing key of a consumed message
// becomes its topic:
//
//	AMQP                      Watermill message
//	message-id                UUID
//	body                      Payload
//	routing key               Metadata "topic"
//	content-type              Metadata "content_type"
//	timestamp (whole seconds) Metadata "time", RFC 3339 in UTC
//	correlation-id            Metadata "correlation_id"
//	reply-to                  Metadata "reply_to"
//	header x                  Metadata "x"
//
// Numbers, booleans, timestamps and decimals in headers become text, tables
// and arrays plain JSON. A header with one of the names above is not copied
// over it. Headers that nest deeper than 32 or are malformed stay out of the
// metadata; the message itself comes like any other, and [feed.Describer] has
// them as they came. The sink sends all headers as strings, leaves out a time
// that is not RFC 3339, and cuts one to whole seconds.
//
// # Delivery
//
// The source settles with manual acknowledgements. Its window of unsettled
// deliveries is the prefetch, which bounds their number; readAhead bounds the
// bytes of those that no route has taken yet. Beyond it the source stops reading
// its connection until there is room, so that TCP holds the broker back. (The
// broker itself cannot count bytes: RabbitMQ refuses a prefetch size.) RabbitMQ
// gives up a connection that is not read for about 30 seconds: when nothing at
// all moves for that long, the source connects again and its deliveries are
// handed out again. All subscriptions of one Source share the connection and
// wait together; a feed gives each route a Source of its own. While they wait,
// to close one of them, to probe or to subscribe gets no answer, and cuts the
// connection in the end.
//
// A run of settled deliveries that begins at the oldest unsettled one is
// acknowledged by one multiple-ack, everything else singly, so that an
// acknowledgement never passes an unsettled delivery. Acknowledgements that
// follow each other within 10 ms are sent together: by the next settlement after
// that, after 100 ms, or when an eighth of the prefetch is owed; all before the
// channel closes. To give deliveries back the subscription closes its channel:
// the broker puts all of them back in their places at once. (Nacks one by one
// would queue up behind later messages, and a cancel would start the next
// consumer while deliveries are still out.) A lost connection, a closed channel,
// a deleted queue or a cancelled consumer end the subscription with an error;
// the route subscribes again. The source then reconnects, reading credentials
// and certificates anew.
//
// Deliveries that follow each other within 1.5 ms are read together, every 3 ms,
// when the prefetch is 200 or more and the connection is without TLS: at such
// rates that takes most of the wake-ups away, and adds 1.5 ms to the latency on
// average.
//
// The sink says "done" when the broker has confirmed the message: a durable
// queue has then written it to disk, a quorum queue to the disks of a majority.
// All messages of a batch are published in one go, persistent and, by default,
// mandatory; the confirms are awaited together.
//
//   - A negative confirm (a full queue with overflow reject-publish) is a
//     transient failure of that message.
//   - A returned message (mandatory, and no queue takes it) is confirmed too;
//     the sink reports it as failed. Whether that is transient is configured:
//     unroutable: retry, the default, because an exchange without a binding is
//     nearly always a topology that is not there yet, or not there any more.
//     It concerns every message alike, heals without us, and the source's
//     queue is the larger and safer place to wait in than a bounded
//     quarantine. Where keys that nobody wants are normal, and one of them
//     must not hold up the rest, use quarantine, or bind an alternate exchange.
//   - When the broker closes the channel because of a message (406, such as
//     one above its size limit, or 403 for one routing key), that message fails
//     as [feed.ConnectionFatal] and the others as transient. A missing exchange
//     (404) is no fault of any message: all fail as transient, and the probe
//     fails until the exchange exists.
//   - When no confirm comes for confirmTimeout, or the context ends, the
//     outcome of what is unconfirmed is unknown: it fails as transient and the
//     connection is dropped, so that a late answer is not taken for another's.
//   - While the broker blocks publishers (memory or disk alarm) nothing is
//     sent: the batch waits, at most confirmTimeout, and then fails.
//   - What AMQP cannot carry (a routing key above 255 bytes, headers above one
//     frame) fails for good before anything is sent.
//
// # Queues
//
// Without declare the queue must exist. With it the source declares the queue
// at each connect, and the exchange, bindings and dead-letter queue that
// belong to it. Quorum is the default type, reject-publish the default of a
// full queue, so that pressure reaches the publisher and nothing is dropped.
// The queue has no delivery limit: whether a message is poison is the feed's
// decision. (From RabbitMQ 4.0 on that takes x-delivery-limit -1, which the
// source sets; 3.x has no limit by default and refuses the -1.) Dead letters of
// quorum queues are handed over at least once. When the broker has the queue
// with other arguments, the source fails with a [feed.ConfigError] that names
// the argument, what was asked for and what is there.
//
// With declare.shards the queue is one of several that share the load and keep
// the order of each routing key: an exchange of the type x-modulus-hash stands
// between exchange and the queues, and each queue has a single active consumer.
// The source declares all shards, and binds their exchange when the last one is
// bound, so that the first message finds the final layout. The plugin
// rabbitmq_sharding must be enabled. docs/scaling.md has the whole layout.
//
// # Streams
//
// With declare.type stream the source reads a stream, which keeps what was read:
// the feed needs a sink that remembers how far it has come, such as blob with
// exactlyOnce, and goes on from there ([feed.OffsetSubscriber]). A stream that
// exists is read by declaring it as it is; consumed as if it were a queue it
// hands out only what comes from then on, of which the source warns when it sees
// it. An offset is the tag of a delivery
// less one, and its header x-stream-offset.
//
// Acknowledgements tell RabbitMQ only that there is room: the source sends them
// as it hands messages out, so that a batch may be larger than the prefetch.
// Nothing is handed out again but by subscribing again, and nothing is marked as
// redelivered.
//
// RabbitMQ takes an offset that retention has dropped for the first one that
// there is, which the offset of the first delivery tells. Beyond the end of the
// stream it is silent until the stream has grown to the offset. So when nothing
// comes for 5 seconds where something should stand, the source reads the end of
// the stream ("last") and asks whether it is empty: it fails with
// [feed.ErrStreamEndsBefore] when the stream is not the one that was stored. A
// stream that grows so fast that it will get there within 15 minutes is waited
// for: it may be a replica, on the cluster's node that the source reads from,
// that is catching up with the others. (One that stands still, or would take
// longer, is taken for another stream.)
//
// A stream that is full drops its oldest segments, read or not. maxBytes and
// maxAge say when; segmentBytes how much at a time.
//
// # Configuration
//
//	source:
//	  amqp:
//	    url: amqps://rabbit.plant:5671/telemetry
//	    username: ${RABBITMQ_USER}
//	    password: ${file:/run/secrets/rabbitmq}
//	    tls: {caFile: /etc/feed/ca.pem}
//	    queue: telemetry
//	    prefetch: 2000
//	    declare:
//	      exchange: {name: telemetry}
//	      routingKeys: ["telemetry.#"]
//	      maxBytes: 20GiB
//	      deadLetter: {exchange: telemetry.dead, queue: telemetry.dead}
//
//	sink:
//	  amqp:
//	    url: amqp://rabbit.plant
//	    exchange: telemetry
//
// With auth: external the client certificate (tls.certFile, tls.keyFile) is the
// login. All keys are described by the doc tags of [SourceConfig] and
// [SinkConfig].
//
// Endpoints, by which a feed finds cycles, have the form
// amqp://host:port/vhost followed by /queue/NAME, /exchange/NAME or
// /exchange/NAME/key/KEY, each part escaped. A source reads its queue, and for
// each declared binding the exchange with the key, and the whole exchange when
// the binding takes everything ("#", or a declared fanout). A sink writes the
// exchange, and the exchange with its routing key when that is fixed; on the
// default exchange the queue.
//
// # Format of original properties
//
// The subscription describes an unsettled delivery as it came, see
// [feed.Describer]: the body as it is, and a JSON document in the format
// "amqp-0-9-1" made by [EncodeProperties], from which [DecodeProperties]
// restores every property exactly:
//
//	{"exchange":"telemetry","routingKey":"telemetry.a.b","contentType":"text/plain",
//	 "deliveryMode":2,"messageId":"42","timestamp":1767225600,
//	 "headers":{"x":{"t":"int32","v":5},"at":{"t":"timestamp","v":"1767225600"}}}
//
// Absent properties are left out; timestamps are seconds since 1970. A header
// is {"t": type, "v": value} with these types:
//
//	void                           no value
//	bool                           true or false
//	int8 uint8 int16 uint16 int32 uint32    a number
//	int64 timestamp                a decimal number in a string
//	float double                   a number in a string; "NaN" as "nan:" and its bits in hexadecimal
//	decimal                        {"scale": number of decimals, "value": int32}
//	string                         a string
//	bytes                          base64
//	table                          {name: header, …}
//	array                          [header, …]
//
// AMQP strings are bytes, JSON strings are not: a string that is not UTF-8, or
// that begins with "base64:", is written as "base64:" and its base64. That
// holds for the names of headers and all other strings, too.
//
// Headers that nest too deep, or that are malformed, have no such form. In the
// place of "headers" there is then "rawHeaders": base64 of the table as AMQP
// 0-9-1 writes it, without the length before it.
//
//	{"routingKey":"telemetry.a.b","rawHeaders":"AXhJAAAABQ=="}
package amqp
