// Package validate proves that what devices have said arrived somewhere, whole and
// unchanged, or says what did not.
//
// It compares two sides: the expectation, such as the API of a vendor's cloud to
// which the devices deliver on a way of their own, and an observation, such as
// blobs or a database at the end of a feed. What the feed says of itself is no
// evidence: the readings of both sides are read in each run.
//
// # What is promised
//
// A result is [Proven] only when both sides were read as a whole, each expected
// reading was found at the observation and says the same by the rules, and nothing
// was found that the rules do not tolerate. A window is judged when the
// expectation vouches for it, that is, when its watermark has passed the end of
// the window by Lateness. What cannot be judged, and what may stand at a place that
// cannot be read, makes a result [Open]; so does an expectation without readings.
// Something that is certainly wrong makes it [Discrepant].
//
// # What it costs
//
// Both sides are read once, at the same time, and only sums are kept: a count and a
// digest for each window of a tag of a device. Windows that differ are read again
// and compared reading by reading. So memory is bounded whatever the range is, and
// the cost grows with what is wrong. docs/adr/0016 has the reasons.
//
// # In a program
//
// [Run] does a [Job]: an expectation, an observation, a range of time, and [Options]
// that begin with [DefaultOptions]. It opens and closes neither side. Its error says
// that no comparison could be made; what is wrong with readings is in the [Result],
// whose Outcome is to be looked at. Package report makes text, JSON and HTML of it.
// For a YAML file a side is a stage: see [ExpectationFactory] and [ObservationFactory].
//
// # Sides
//
// A [Side] hands out readings of a time in any order; package validatetest has a
// suite that each one passes, and the example of Side is a whole one. An [Expectation] also tells its watermark. [Traits] say
// what a place does not keep, such as the line or nanoseconds: that is not compared,
// and the result says so.
package validate
