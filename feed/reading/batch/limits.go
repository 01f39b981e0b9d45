package batch

import "github.com/kraft-edge/datafeed/feed/reading"

// Limits bound what a frame may cost. A field that is 0 stands for its default.
type Limits struct {
	// MaxBytes bounds what a body is unpacked to, and the bytes of all texts of
	// its readings together: 64 MiB.
	MaxBytes int
	// MaxRatio bounds how many times as long as itself a body is unpacked to, once
	// that is more than 1 MiB: 500.
	MaxRatio int
	// MaxReadings bounds the readings of a batch: 100,000, for 128 bytes of memory each.
	MaxReadings int
	// MaxWindow bounds the window of zstd, in bytes: 8 MiB.
	MaxWindow int
	// MaxText bounds a text, in bytes: [reading.MaxText], and never more.
	MaxText int
}

// ratioFloor is what may be unpacked whatever the ratio is.
const ratioFloor = 1 << 20

// OrDefaults returns l with the defaults of the fields that are 0. A codec of one's
// own calls it first.
func (l Limits) OrDefaults() Limits {
	for _, f := range []struct {
		limit *int
		value int
	}{
		{&l.MaxBytes, 64 << 20},
		{&l.MaxRatio, 500},
		{&l.MaxReadings, 100_000},
		{&l.MaxWindow, 8 << 20},
		{&l.MaxText, reading.MaxText},
	} {
		if *f.limit <= 0 {
			*f.limit = f.value
		}
	}
	l.MaxText = min(l.MaxText, reading.MaxText)
	return l
}

// unpacked returns how many bytes a body of n bytes may be unpacked to.
func (l Limits) unpacked(n int) int {
	if n > l.MaxBytes/l.MaxRatio { // so that the product does not overflow
		return l.MaxBytes
	}
	return min(l.MaxBytes, max(ratioFloor, n*l.MaxRatio))
}

func (l Limits) tooLong(n int) *Corrupt {
	return corrupt(ReasonLimits, "a body of %d bytes is more than %d when it is unpacked", n, l.unpacked(n))
}

func (l Limits) tooMany() *Corrupt {
	return corrupt(ReasonLimits, "more than %d readings", l.MaxReadings)
}
