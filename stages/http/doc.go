// Package http takes messages from HTTP requests and sends messages as HTTP
// requests, for the systems around a factory that speak nothing else.
//
// # The source
//
// The source listens, and each POST or PUT to its path brings one message, or
// several: with split lines the body is NDJSON, with split array a JSON array,
// and each line or element becomes a message. The answer comes when all
// messages of the request have ended:
//
//	200  {"delivered":3,"filtered":0,"quarantined":1}
//
// so whoever gets it may forget the messages: they are durable in the sink, were
// dropped by a transform on purpose, or stand in the quarantine. After a 500 or
// 503, or no answer, the request is to be sent again as it is; any other answer means that
// it must be mended first, and that sending it again as it is is of no use:
//
//	400  the body is no NDJSON or JSON array, or cannot be decompressed
//	401  the token is missing or wrong
//	404  405  another path or method
//	413  the body is larger than maxBodyBytes, or has more messages than maxPending
//	415  a Content-Encoding other than gzip, zstd and identity
//	500  an error of the source itself
//	503  with Retry-After: too much is pending, the body has not arrived whole
//	     or in time, the sink was not done within timeout (feed status says what
//	     it waits for), or the feed stops
//
// Delivery is at least once: after a 503, or when the client leaves before the
// answer, messages that the route had begun with go on, and come again with the
// next try. What had not been handed out is forgotten. While a route pauses, its
// requests wait, and time out.
//
// The topic of a message is what the request's path has beyond path, when that
// ends with a slash, and else the key topic. It keeps its slashes: with path
// /quality/ a request to /quality/a/b has the topic a/b. RabbitMQ's patterns want
// dots, which a bridge with separator "/" makes:
//
//	transforms:
//	  - bridge:
//	      separator: "/"
//	      rules: [{match: "{line}/{station}", topic: "{line}.{station}"}]
//
// Headers that are listed become
// metadata under their names in lower case. The quarantine shows messages in
// the format "http": a JSON object with method, path, remote (the client's
// address), headers (those that are listed, and Content-Type), topic, and the
// index of the message in its request.
//
// Requests are bounded: the body after decompression by maxBodyBytes, all that
// is pending by maxPending and maxPendingBytes. The latter counts what is
// allocated: buffers that bodies are read into, decoders meanwhile (96 KiB for
// gzip, 9 MiB for zstd), and 128 bytes a message. Messages lie in the body that
// they came in. A client must prove who it is,
// with a bearer token, or with a certificate that an authority in
// tls.clientCAFile has signed, unless the address is a loopback one or the
// configuration says anonymous.
//
//	source:
//	  http:
//	    listen: ":8443"
//	    path: /telemetry/
//	    bearerToken: ${file:/run/secrets/webhook-token}
//	    tls: {certFile: /run/tls/tls.crt, keyFile: /run/tls/tls.key}
//
// # The sink
//
// The sink sends a request per message, or with body lines (NDJSON) or array
// (a JSON array) one per batch. A message is done when the answer is 2xx. What
// else an answer means:
//
//   - 400, 406, 411 to 417, 422, 431 and 451 blame the content. A single message
//     fails permanently; a batch is sent again in halves until the bad ones are
//     found.
//   - Everything else is transient and the batch is sent again: 429 and 5xx, the
//     credentials (401, 403, 407), an address that is wrong (404, 405, 410), and
//     redirects, which are not followed: they might lead a credential elsewhere.
//
// A Retry-After, in seconds or as a date, is honoured: until then, five minutes
// at most, the sink fails without asking. A status of the first kind that comes
// with it blames no content, as it is to pass: the same batch is sent again then.
//
// Each request has an Idempotency-Key that is the same when the same batch is sent
// again as a whole, as after a lost answer, so that a receiver can recognise it.
// When some messages of the batch were done meanwhile the rest has other keys, and
// after a restart of the feed all have: a key never stands for another message.
//
//	sink:
//	  http:
//	    url: https://mes.example/api/readings
//	    body: lines
//	    bearerToken: ${file:/run/secrets/mes-token}
//
// With oauth2 the sink gets its bearer tokens itself, with client credentials
// (RFC 6749, section 4.4): a new one before the last expires, or when the receiver
// has answered 401. While it gets none the batch waits, as it does while the
// receiver is down.
//
//	oauth2:
//	  tokenUrl: https://mes.example/oauth2/token
//	  clientId: line-1
//	  clientSecret: ${file:/run/secrets/mes-client}
//	  scopes: [readings.write]
package http
