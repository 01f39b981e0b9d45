package postgres

import (
	"encoding/binary"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// valueColumns are the columns of points that a [value] takes.
const valueColumns = `p.float, p.int, p.bool, p.text, p.raw, p.quality`

// value is what was read, as it stands in a row. All of it is nil in a row that
// an outer join has made.
type value struct {
	float   *float64
	int     *int64
	bool    *bool
	text    *string
	raw     []byte
	quality *string
}

func (v *value) targets() []any {
	return []any{&v.float, &v.int, &v.bool, &v.text, &v.raw, &v.quality}
}

func (v *value) reading() reading.Value {
	switch {
	case v.float != nil:
		return reading.OfFloat(*v.float)
	case v.int != nil:
		return reading.OfInt(*v.int)
	case v.bool != nil:
		return reading.OfBool(*v.bool)
	case v.text != nil:
		return reading.OfText(*v.text)
	case v.raw != nil:
		return reading.OfText(string(v.raw))
	}
	return reading.Value{}
}

// text returns a text, and "" for null.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// timestamptz returns a time to the microsecond as a parameter of a statement.
func timestamptz(nanos int64) []byte {
	micros, _ := split(nanos)
	return binary.BigEndian.AppendUint64(nil, uint64(micros-postgresEpoch))
}
