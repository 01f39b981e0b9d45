// Package reading is the model of telemetry: one value of one tag of a device at
// one time.
//
// # JSON
//
// As a message a reading is a JSON object, its members in this order:
//
//	{"site":"plant1","line":"line2","device":"press7","tag":"temperature",
//	 "ts":"2026-11-21T03:04:05.123456789Z","value":21.5,"quality":"good","seq":12}
//
// site and line are left out when they are empty. ts is RFC 3339 in UTC, with as
// many digits of a second as it takes and nine at most. seq counts the readings of a
// device, so that a gap or a repetition shows.
//
// The value says its type: 21.5, 2.0 and 1e+21 are floats, 2 is an integer,
// true a boolean, "on" a text, null says that there is none. A float that JSON
// has no number for (NaN with its bits, an infinity) is {"float":"7ff8000000000001"},
// the bits of IEEE 754 in hexadecimal. So what is written is read back to the bit;
// minus zero is -0.0. A text is characters: \ud800 without its other half stands for
// none and is refused, not read as U+FFFD.
//
// The form is this project's own. Readings of other forms pass a feed unharmed
// wherever no stage says that it needs this one.
package reading
