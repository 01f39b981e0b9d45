package validate

import "time"

// Result is what a validation found. It encodes to JSON; its lists are bounded,
// its counts are not.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Reasons say why the outcome is not Proven, and what could not be looked at;
	// the most important first.
	Reasons []string `json:"reasons,omitempty"`

	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Device   string    `json:"device,omitempty"` // when only one was looked at
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`

	Expectation SideResult `json:"expectation"`
	Observation SideResult `json:"observation"`
	Watermark   time.Time  `json:"watermark,omitzero"` // of the expectation; zero when there is none
	Rules       []string   `json:"rules"`              // a sentence each

	Counts Counts `json:"counts"`
	// Waiting are the undecided ones that the watermark has not passed.
	Waiting int64 `json:"waiting,omitempty"`
	Windows int64 `json:"windows"` // of a device and a tag, that had any reading
	// Verdicts counts windows by their worst verdict.
	Verdicts map[Verdict]int64 `json:"verdicts"`

	// Devices are lines of the picture: what became of the readings of a device
	// over time. The worst come first; Omitted devices are not listed.
	Devices        []Device `json:"devices"`
	OmittedDevices int64    `json:"omittedDevices,omitempty"`
	// Step is how long a part of the picture lasts; part i begins at From + i*Step.
	Step time.Duration `json:"step"`

	// Problems are windows that are not matched; the worst come first.
	Problems        []Window `json:"problems"`
	OmittedProblems int64    `json:"omittedProblems,omitempty"`
	// Discrepancies are single readings that are missing, altered, extra, duplicate
	// or undecided although their window is judged; the worst come first. What is
	// late or out of order is counted only.
	Discrepancies        []Discrepancy `json:"discrepancies"`
	OmittedDiscrepancies int64         `json:"omittedDiscrepancies,omitempty"`
	Unreadable           []string      `json:"unreadable,omitempty"` // at most 100
	OmittedUnreadable    int64         `json:"omittedUnreadable,omitempty"`

	// Latency says how long readings took from their time to their arrival, when
	// the observation knows; it is nil otherwise.
	Latency *Latency `json:"latency,omitempty"`
	// Throughput has the readings of each part of the picture.
	Throughput []Rate `json:"throughput"`
}

// SideResult says what a side is, and what was read of it.
type SideResult struct {
	Name  string `json:"name"`  // such as blob
	Place string `json:"place"` // as the side names itself
	Costs
}

// Device is a line of the picture.
type Device struct {
	Device string `json:"device"`
	Site   string `json:"site,omitempty"`
	Counts
	Parts []Part `json:"parts"`
}

// Part is what became of the readings of a device within a step. Parts without
// any are left out.
type Part struct {
	Index   int     `json:"index"`
	Verdict Verdict `json:"verdict"` // the worst
	// Expected, and Bad of them: all that are not matched, and what is extra or
	// a duplicate.
	Expected int64 `json:"expected"`
	Bad      int64 `json:"bad"`
}

// Window is a tag of a device during a time.
type Window struct {
	Device  string    `json:"device"`
	Tag     string    `json:"tag"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Verdict Verdict   `json:"verdict"` // the worst
	Counts
}

// Discrepancy is a reading that is not as it should be.
type Discrepancy struct {
	Verdict Verdict   `json:"verdict"`
	Device  string    `json:"device"`
	Tag     string    `json:"tag"`
	Time    time.Time `json:"time"`
	Seq     uint64    `json:"seq"`
	// Fields are those that differ, when it is altered: value, quality, time, …
	Fields []string `json:"fields,omitempty"`
	// Expected and Observed are what the sides say; nil when they have nothing.
	Expected *Said `json:"expected,omitempty"`
	Observed *Said `json:"observed,omitempty"`
	// Cause is what is known of it, such as "quarantined: no rule"; often empty.
	Cause string `json:"cause,omitempty"`
}

// Said is what a side says of a reading, and where.
type Said struct {
	Site    string    `json:"site,omitempty"`
	Line    string    `json:"line,omitempty"`
	Time    time.Time `json:"time"`
	Text    string    `json:"value"` // the value as JSON writes it; cut when it is long
	Quality string    `json:"quality"`
	Arrived time.Time `json:"arrived,omitzero"`
	Place   string    `json:"place"`
}

// Latency is a histogram of how long readings took.
type Latency struct {
	Count   int64         `json:"count"`
	P50     time.Duration `json:"p50"`
	P95     time.Duration `json:"p95"`
	P99     time.Duration `json:"p99"`
	Max     time.Duration `json:"max"`
	Buckets []Bucket      `json:"buckets"` // not empty ones, by UpTo
}

// Bucket counts readings that took at most UpTo, and more than the bucket before.
type Bucket struct {
	UpTo  time.Duration `json:"upTo"`
	Count int64         `json:"count"`
}

// Rate is how many readings have times within a part of the picture.
type Rate struct {
	At       time.Time `json:"at"`
	Expected int64     `json:"expected"`
	Observed int64     `json:"observed"`
}
