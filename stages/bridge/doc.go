// Package bridge turns AMQP routing keys and headers into MQTT topics.
//
// # Terms
//
// A rule has a pattern for the routing key, patterns for headers, and
// templates for the topic and for metadata. A routing key is made of parts
// between separators ('.'). In a pattern
//
//	{name}     captures one part, or what stands in its place within a part: line-{line}
//	*          is the same without a name
//	{name...}  as the last part, captures all parts that remain: one or more
//	{...}      is the same without a name
//	other text stands for itself
//
// Where two captures stand in one part or header, each but the last ends at
// the first occurrence of the text that follows it. A header has no parts: its
// pattern is for the whole value, dots included. A header that is absent
// matches no pattern. The routing key is the topic in the message's metadata
// ([feed.MetaTopic]), where the source has put it; the topic takes its place.
//
// The first rule that matches wins. What matches none is quarantined with its
// routing key in the reason, or filtered with the reason [ReasonUnmatched], as
// configured: it is never dropped silently.
//
// # Escaping
//
// What comes from a message cannot leave its place in the topic. A captured
// value is percent-encoded byte by byte (%2F) where it holds
//
//   - '/', '+', '#' and '%',
//   - control characters, NUL among them, bytes that are no UTF-8, and Unicode
//     non-characters: MQTT forbids or advises against them and Mosquitto ends
//     the connection over them,
//   - '$' at the very start of the topic, which would make it a topic of the
//     broker's own ($SYS, $share),
//   - the character that ends the value where a further value follows in the
//     same level: with {line}-{device} the value "a-b" of line becomes "a%2Db",
//   - '.' if escapeDots is set.
//
// Any percent-decoder gives the value of a level back. Within one rule two
// different tuples of values that the topic uses never make the same topic.
// The parts of a {name...} become as many levels.
//
// An empty value makes an empty level ("kraft//temperature"), which MQTT
// allows and "+" matches. An empty topic, which it does not allow, and one
// longer than maxTopicBytes are permanent errors: the message is quarantined.
//
// A '.' means nothing to MQTT and is kept: a header "10.0.0.1" stays readable.
// RabbitMQ's MQTT plugin, however, exchanges '.' and '/', so that to its
// subscribers "line.1" and "line/1" are one. Set escapeDots when the topic goes
// there.
//
// # Delivery
//
// The transform is one to one: it changes the metadata of the message that it
// gets, in place, and returns it. Payload bytes are not touched. A message for
// which it returns an error is left as it was.
//
// # Configuration
//
//	bridge:
//	  rules:
//	    - match: telemetry.{site}.{line}.{device}.{tag}
//	      topic: kraft/{site}/{line}/{device}/{tag}
//	    - match: alarm.{rest...}
//	      headers:
//	        x-site: "{site}"
//	      topic: kraft/{site}/alarms/{rest...}
//	      set:
//	        severity: high
//	  unmatched: quarantine   # or filter
//	  separator: "."          # between the parts of a routing key
//	  escapeDots: false
//	  maxTopicBytes: 1024
//	  cacheKeys: 16384        # routing keys whose topic is remembered
//
// A configuration is refused when a template names a part that its rule does
// not capture, a part has a name but no template uses it (write * instead), a
// topic holds a wildcard, or a rule can never match because an earlier one
// takes all of its messages.
package bridge
