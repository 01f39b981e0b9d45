// Package witness tells, from outside a feed, whether readings that a factory
// published have arrived: which are missing, which came twice, which came out
// of order. It believes nothing that the feed says of itself: a [Factory]
// counts what RabbitMQ confirmed, a [Subscriber] what an MQTT broker hands
// out, [ReadBlobs] what stands in storage, and [Compare] puts them side by
// side.
package witness
