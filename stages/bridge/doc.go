// Package bridge turns AMQP routing keys, headers and fields of JSON payloads
// into MQTT topics.
//
// # Terms
//
// A rule has a pattern for the routing key, patterns for headers and for fields
// of the payload, and templates for the topic and for metadata. A routing key is
// made of parts between separators ('.'). In a pattern
//
//	{name}     captures one part, or what stands in its place within a part: line-{line}
//	*          is the same without a name
//	{name...}  as the last part, captures all parts that remain: one or more
//	{...}      is the same without a name
//	other text stands for itself
//
// Where two captures stand in one part, header or field, each but the last ends
// at the first occurrence of the text that follows it. A header or field has no
// parts: its pattern is for the whole value, dots included. One that is absent
// matches no pattern. The routing key is the topic in the message's metadata
// ([feed.MetaTopic]), where the source has put it; the topic takes its place.
//
// The first rule that matches wins. What matches none is quarantined with its
// routing key in the reason, or filtered with the reason [ReasonUnmatched], as
// configured: it is never dropped silently.
//
// # Fields
//
// A field is named by a JSON Pointer (RFC 6901): /device, /values/0/x, the
// empty pointer for the whole payload. Its value is a string with its escapes
// resolved, or a number as it is written (1.50 stays 1.50), or true or false.
// null, an object or an array counts as absent. Half a surrogate pair becomes
// U+FFFD; bytes that are no UTF-8 stay as they are.
//
// The payload is read where it lies, once for all rules that match otherwise,
// up to the first of these that has no fields; when that is the first, it is
// not read at all. Reading ends with the value that decides the last field and
// the delimiter after it. What follows is not looked at: it need not be JSON,
// and of members with the same name the first counts. When a field is absent
// that is known only at the end, and the whole payload must be JSON.
//
// A payload that is no JSON as far as it is read is a permanent error that
// says at which byte and why, even if a later rule without fields would match:
// whether it is the first is not known. So are a value longer than 65535 bytes,
// the longest text of MQTT, and values nested more than 10000 deep. All rules
// together have at most 64 different pointers, of at most 64 levels.
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
//	    - match: readings.{...}
//	      fields:
//	        /device: "{device}"
//	        /site: "{site}"
//	        /kind: reading
//	      topic: kraft/{site}/{device}
//	  unmatched: quarantine   # or filter
//	  separator: "."          # between the parts of a routing key
//	  escapeDots: false
//	  maxTopicBytes: 1024
//	  cacheKeys: 16384        # routing keys, with values of fields, whose topic is remembered
//
// A configuration is refused when a template names a part that its rule does
// not capture, a part has a name but no template uses it (write * instead), a
// topic holds a wildcard, or a rule can never match because an earlier one
// takes all of its messages.
//
// Where captured values never come again, such as a sequence number, remembering
// costs more than it saves: set cacheKeys to 0.
package bridge
