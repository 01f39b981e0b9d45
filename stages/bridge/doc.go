// Package bridge turns AMQP routing keys, headers and fields of JSON payloads
// into MQTT topics. It can also drop messages, compute values, look them up in
// tables, make new payloads, and make messages CloudEvents.
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
// # Expressions
//
// Conditions and values are expressions in CEL, the Common Expression Language
// (https://cel.dev), with its standard functions, its macros and the extension
// for strings. They cannot change anything, cannot call anything outside, and end.
//
// A rule with where matches only when that is true, besides key, headers and
// fields; when it is false the next rule is tried. let makes values that topic, set
// and cloudEvents use as {name}, escaped like captured ones, and that
// payload.fields uses as name: a string, an int, a uint, a double or a bool. A rule
// with drop in place of topic filters what it matches, with its text as the reason.
//
// An expression knows
//
//	name                       what its rule captures as {name}: a string
//	key                        the routing key: a string
//	headers                    metadata under its names, as strings, but for that with a
//	                           meaning of its own ([feed.ReservedMetadata])
//	payload                    what the JSON payload holds
//	time                       the message's own time, [feed.MetaTime]: a timestamp
//	tables.name[key].column    a text of a table
//
// A whole number in the payload that 64 bits hold is an int, any other number a
// double. Expressions need not care which it is: the two compare with each other, and
// where + - * or / has an int or a uint beside a double, both count as doubles:
// payload.value * 10 is 210 for 21 and 215 for 21.5. This departs from CEL, which
// refuses it, and so does this: a whole number divided by a whole number is a double
// when a remainder is left, so that 7 / 10 is 0.7, and an int otherwise. int(7 / 10)
// cuts off, and % is the remainder, of whole numbers only. Whole numbers are exact as
// long as no double takes part, which holds them exactly up to 2^53 only.
//
// Of members with the same name the first counts. The payload is read when an
// expression asks for it, and as a whole: it must be JSON in UTF-8. Of an object only
// the members are kept that expressions name as in payload.value.
//
// Names, types and columns are checked when the stage is made. What only a message
// shows is a permanent error of that message, and names the expression: a member,
// header or key that is not there, a text where a number must be, a payload that is no
// JSON, a message without time, a whole number divided by zero. Ask first where that
// may be: has(payload.value), "site" in headers, key in tables.devices. A number that
// comes as a text becomes one with double(payload.value). An expression has at most 4096 bytes;
// what takes more than about 100000 steps for a message, by loops over loops or by
// texts that multiply, is ended with an error.
//
// # Tables
//
// A table has rows of columns, all texts, and is found by the text in one of the
// columns, which differs in each row. The rows stand in the configuration, or in a
// file: CSV (RFC 4180) whose first line names the columns, or YAML, a list of
// mappings whose values are taken as they are written. The file is read once,
// when the stage is made; it has at most 8 MiB and 100000 rows.
//
// # Payloads
//
// Without payload, the payload stays as it is. With it, the payload must be a JSON
// object. select keeps the members that it names, byte for byte and all of those
// with the same name; without it all are kept. fields replaces members, in their
// place, or adds them at the end, in the order of their names. What stands between
// members, white space, is lost. The old bytes are never written into.
//
// Values of expressions are written anew: 1.50 becomes 1.5. Bytes become base64,
// a time becomes RFC 3339, a duration becomes seconds as in "1.5s". A number that is
// not finite is a permanent error.
//
// # CloudEvents
//
// cloudEvents makes a message an event of CloudEvents 1.0. In mode structured the
// payload, after what payload has made of it, becomes the data of an event in JSON: as
// it is when it is JSON and [feed.MetaContentType] does not say otherwise, or else in
// base64; the content type becomes application/cloudevents+json. The modes mqtt, amqp
// and http are the binary ones of these protocols: the payload stays, and the
// attributes become metadata, which the sinks send as user properties ("id"), headers
// ("cloudEvents_id") and headers ("ce-id", percent-encoded). Metadata of the same
// name is replaced.
//
// type, source, subject and id are templates as in set; in source, a URI reference,
// values are percent-encoded. One that comes out empty, or holds a control
// character or bytes that are no UTF-8, is a permanent error. The attribute time is
// [feed.MetaTime], and is missing without a readable one. Without a template the id is
// 128 bits of SHA-256 over routing key, [feed.MetaTime], UUID and payload as they came:
// what comes again has the id that it had, and messages equal in all of these have
// the same.
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
// gets, in place, gives it another payload if its rule says so, and returns it.
// Payload bytes are not written into. A message for which it returns an error is left
// as it was.
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
//	    - match: status.{device}
//	      where: payload.state == "idle"
//	      drop: idle machines
//	    - match: status.{device}
//	      where: device in tables.devices
//	      let:
//	        site: tables.devices[device].site
//	      topic: kraft/{site}/status/{device}
//	      payload:
//	        select: [state, since]
//	        fields:
//	          celsius: (payload.fahrenheit - 32) / 1.8
//	      cloudEvents:
//	        mode: structured   # or mqtt, amqp, http
//	        type: com.kraft.status
//	        source: /plants/{site}
//	        subject: "{device}"
//	  tables:
//	    devices:
//	      key: device
//	      file: /etc/feed/devices.csv   # or rows: [{device: press7, site: aachen}]
//	  unmatched: quarantine   # or filter
//	  separator: "."          # between the parts of a routing key
//	  escapeDots: false
//	  maxTopicBytes: 1024
//	  cacheKeys: 16384        # routing keys, with values of fields, whose topic is remembered
//
// A configuration is refused when a template names a part that its rule does
// not capture, a part has a name but no template and no expression uses it (write *
// instead), a topic holds a wildcard, an expression is wrong, or a rule can never
// match because an earlier one takes all of its messages.
//
// A rule with headers, where, let, payload.fields or cloudEvents is applied to each
// message anew; a topic that only the routing key and fields decide is remembered.
//
// Where captured values never come again, such as a sequence number, remembering
// costs more than it saves: set cacheKeys to 0.
package bridge
