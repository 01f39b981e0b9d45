// Package validate proves that what devices have said arrived somewhere, whole and
// unchanged, or says what did not.
//
// It compares two sides: the expectation, such as the API of a vendor's cloud to
// which the devices deliver on a way of their own, and an observation, such as
// blobs or a database at the end of a feed. What the feed says of itself is no
// evidence: the readings of both sides are read in each run.
package validate
