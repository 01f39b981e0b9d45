package reading

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// The limits of a valid reading, in bytes.
const (
	MaxName = 128     // of a site, line, device, tag or quality
	MaxText = 1 << 20 // of a value
)

// Reading is one value of one tag of a device. Two are equal (==) when all of
// their members are, to the bit.
type Reading struct {
	Site   string // "" when it is not known
	Line   string // "" when it is not known
	Device string
	Tag    string
	// Time is when it was read, in nanoseconds since 1970 UTC.
	Time    int64
	Value   Value
	Quality string // such as "good", "uncertain" or "bad"
	// Seq counts the readings of the device.
	Seq uint64
}

// At returns Time as a time in UTC.
func (r *Reading) At() time.Time { return time.Unix(0, r.Time).UTC() }

// Validate reports what keeps a reading from being written as JSON and read
// back: a name that is missing, too long or no UTF-8.
func (r *Reading) Validate() error {
	var errs []error
	name := func(what, s string, needed bool) {
		switch {
		case needed && s == "":
			errs = append(errs, fmt.Errorf("%s is missing", what))
		case len(s) > MaxName:
			errs = append(errs, fmt.Errorf("%s %.40q… has %d bytes, more than %d", what, s, len(s), MaxName))
		case !utf8.ValidString(s):
			errs = append(errs, fmt.Errorf("%s %.40q is no UTF-8", what, s))
		}
	}
	name("site", r.Site, false)
	name("line", r.Line, false)
	name("device", r.Device, true)
	name("tag", r.Tag, true)
	name("quality", r.Quality, false)
	switch {
	case len(r.Value.text) > MaxText:
		errs = append(errs, fmt.Errorf("value has %d bytes, more than %d", len(r.Value.text), MaxText))
	case !utf8.ValidString(r.Value.text):
		errs = append(errs, fmt.Errorf("value %.40q is no UTF-8", r.Value.text))
	}
	if len(errs) == 0 { // keep the common case free of an allocation
		return nil
	}
	return errors.Join(errs...)
}
