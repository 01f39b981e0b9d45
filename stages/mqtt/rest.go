package mqtt

import "time"

const (
	// leastRest is the shortest pause that the runtime makes exactly.
	leastRest = time.Millisecond
	// longestRest bounds what a rest can cost a batch whose last
	// acknowledgements come sooner than expected.
	longestRest = 16 * time.Millisecond
)

// restFor returns how long the reader lets acknowledgements gather, given how
// many came in a time, and how many are still to come: half of the time that
// they will take at this pace. A broker answers each publish with four bytes of
// their own, and one that serves many connections answers each of them in turn;
// many answers read at once cost as much as one.
func restFor(came, left int, in time.Duration) time.Duration {
	if came == 0 || left == 0 {
		return 0
	}
	expected := in / time.Duration(came) * time.Duration(left)
	if expected < leastRest {
		return 0
	}
	return min(max(expected/2, leastRest), longestRest)
}
