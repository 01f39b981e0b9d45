package batch

import (
	"errors"
	"fmt"
)

// Reason is what is wrong with a frame, in a word.
type Reason string

// The reasons.
const (
	ReasonFormat    Reason = "format"    // no frame, or one of another version
	ReasonTruncated Reason = "truncated" // bytes are missing
	ReasonChecksum  Reason = "checksum"  // the bytes are not those that were sent
	ReasonCodec     Reason = "codec"     // nobody knows how to decode the body
	ReasonBody      Reason = "body"      // the codec cannot decode it
	ReasonReading   Reason = "reading"   // one of the readings is not valid
	ReasonCount     Reason = "count"     // not as many readings as the header says
	ReasonDevice    Reason = "device"    // a reading of another device
	ReasonTimes     Reason = "times"     // not the times that the header says
	ReasonLimits    Reason = "limits"    // more than [Limits] allow
)

// Corrupt says why a frame cannot be unpacked. It is the same each time.
type Corrupt struct {
	Reason Reason
	Err    error // in detail
}

// Error joins reason and detail.
func (c *Corrupt) Error() string { return "batch: " + string(c.Reason) + ": " + c.Err.Error() }

// Unwrap returns the detail.
func (c *Corrupt) Unwrap() error { return c.Err }

// Unavailable says that a codec could not do its work, whatever the body is: the
// process that it runs in has ended, say. The batch is to be tried again.
type Unavailable struct{ Err error }

// Error says why.
func (u *Unavailable) Error() string { return u.Err.Error() }

// Unwrap returns the reason.
func (u *Unavailable) Unwrap() error { return u.Err }

func corrupt(r Reason, format string, a ...any) *Corrupt {
	return &Corrupt{r, fmt.Errorf(format, a...)}
}

// asCorrupt returns an error of a codec as one.
func asCorrupt(err error) *Corrupt {
	var c *Corrupt
	if errors.As(err, &c) {
		return c
	}
	return &Corrupt{ReasonBody, err}
}
