package batch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// ContentType is the MIME type of a frame.
const ContentType = "application/vnd.kraft.readings-batch"

// Envelope is what a frame says of its readings.
type Envelope struct {
	Device   string // of all of them
	Sequence uint64 // counts the batches of the device
	Codec    string // the name of what made the body
	Count    int    // at least 1
	// First and Last are the least and the greatest time among the readings, in
	// nanoseconds since 1970 UTC.
	First, Last int64
	// Checksum is the SHA-256 over the frame without these 32 bytes.
	Checksum [32]byte
}

// Batch is a frame that is whole.
type Batch struct {
	Envelope
	Body []byte // a part of the frame
}

// Append appends a frame with readings of one device, at least one. Each must
// be valid, see [reading.Reading.Validate]; an error leaves dst as it was. It
// retains nothing.
func Append(dst []byte, codec Codec, device string, sequence uint64, rs []reading.Reading) ([]byte, error) {
	e := Envelope{Device: device, Sequence: sequence, Codec: codec.Name(), Count: len(rs)}
	first, last, err := check(device, rs)
	if err != nil {
		return dst, fmt.Errorf("make batch %s/%d: %w", device, sequence, err)
	}
	e.First, e.Last = first, last
	if n := len(e.Codec); n == 0 || n > maxCodecName {
		return dst, fmt.Errorf("make batch %s/%d: the codec's name %.80q has not 1 to %d bytes", device, sequence, e.Codec, maxCodecName)
	}
	// The body first: its length is part of the header.
	start := len(dst)
	grown, err := codec.Append(append(dst, make([]byte, maxPrefix)...), rs)
	if err != nil {
		return dst, fmt.Errorf("make batch %s/%d: %s: %w", device, sequence, e.Codec, err)
	}
	return e.seal(grown, start), nil
}

// check returns the least and the greatest time of valid readings of a device.
func check(device string, rs []reading.Reading) (first, last int64, err error) {
	if len(rs) == 0 {
		return 0, 0, errors.New("there are no readings")
	}
	for i := range rs {
		r := &rs[i]
		if r.Device != device {
			return 0, 0, fmt.Errorf("reading %d is of device %.40q", i, r.Device)
		}
		if err := r.Validate(); err != nil {
			return 0, 0, fmt.Errorf("reading %d: %w", i, err)
		}
	}
	first, last = span(rs)
	return first, last, nil
}

// span returns the least and the greatest time.
func span(rs []reading.Reading) (first, last int64) {
	first, last = rs[0].Time, rs[0].Time
	for i := range rs {
		first, last = min(first, rs[i].Time), max(last, rs[i].Time)
	}
	return first, last
}

// Decode appends the readings to dst, and checks that they are what the
// envelope says. It retains nothing of Body. An error is a [*Corrupt] or an
// [*Unavailable], and leaves dst as it was.
func (b *Batch) Decode(cs Codecs, dst []reading.Reading, l Limits) ([]reading.Reading, error) {
	l = l.OrDefaults()
	codec, ok := cs.Lookup(b.Codec)
	if !ok {
		return dst, corrupt(ReasonCodec, "%.80q is unknown", b.Codec)
	}
	if b.Count < 1 || b.Count > l.MaxReadings {
		return dst, corrupt(ReasonLimits, "%d readings, %d are allowed", b.Count, l.MaxReadings)
	}
	rs, err := codec.Decode(slices.Grow(dst, b.Count), b.Body, l)
	var unavailable *Unavailable
	switch {
	case errors.As(err, &unavailable):
		return dst, unavailable
	case err != nil:
		return dst, asCorrupt(err)
	}
	made := rs[len(dst):]
	if len(made) != b.Count {
		return dst, corrupt(ReasonCount, "the body has %d readings, the header says %d", len(made), b.Count)
	}
	for i := range made {
		if made[i].Device != b.Device {
			return dst, corrupt(ReasonDevice, "reading %d is of device %.40q, the header says %.40q", i, made[i].Device, b.Device)
		}
	}
	if first, last := span(made); first != b.First || last != b.Last {
		return dst, corrupt(ReasonTimes, "the readings are from %d to %d, the header says %d to %d", first, last, b.First, b.Last)
	}
	return rs, nil
}
