package postgres

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// pointColumns are those that [pointRows.reading] takes, in its order.
const pointColumns = `series, place, ts, ns, seq, quality, float, int, bool, text, raw`

// pointRows makes readings of rows of points in PostgreSQL's binary format.
type pointRows struct {
	series, places map[int32]pair
	quality        string // of the last row: it is mostly that of the next one
}

// widths are those of the columns; 0 is any. The first six are never null.
var widths = [...]int{4, 4, 8, 2, 8, 0, 8, 8, 1, 0, 0}

const neverNull = 6

// reading returns the reading of a row. It retains nothing of values.
func (p *pointRows) reading(values [][]byte) (r reading.Reading, err error) {
	if len(values) != len(widths) {
		return r, fmt.Errorf("the server has sent %d columns, not %d", len(values), len(widths))
	}
	for i, v := range values {
		if v == nil && i < neverNull || v != nil && widths[i] != 0 && len(v) != widths[i] {
			return r, fmt.Errorf("the server has sent a row whose column %d is %x", i+1, v)
		}
	}
	series, place := int32At(values[0]), int32At(values[1])
	names, known := p.series[series]
	if !known {
		return r, fmt.Errorf("series %d, of a point, is not in the table series", series)
	}
	where, known := p.places[place]
	if !known {
		return r, fmt.Errorf("place %d, of a point of %q %q, is not in the table places", place, names[0], names[1])
	}
	if q := values[5]; string(q) != p.quality {
		p.quality = string(q)
	}
	r = reading.Reading{
		Site: where[0], Line: where[1], Device: names[0], Tag: names[1],
		Time:    join(int64At(values[2])+postgresEpoch, int16(binary.BigEndian.Uint16(values[3]))),
		Quality: p.quality, Seq: seqFromSQL(int64At(values[4])),
	}
	r.Value, err = valueOf(values[neverNull:])
	if err != nil {
		return r, fmt.Errorf("%w, of %q %q at %v", err, names[0], names[1], r.At())
	}
	return r, nil
}

// valueOf returns the value of float, int, bool, text and raw, of which one is not
// null at most.
func valueOf(values [][]byte) (v reading.Value, err error) {
	held := 0
	for i, b := range values {
		if b == nil {
			continue
		}
		held++
		switch i {
		case 0:
			v = reading.OfFloat(math.Float64frombits(uint64(int64At(b))))
		case 1:
			v = reading.OfInt(int64At(b))
		case 2:
			v = reading.OfBool(b[0] != 0)
		default:
			v = reading.OfText(string(b))
		}
	}
	if held > 1 {
		return v, fmt.Errorf("a point has %d values", held)
	}
	return v, nil
}

func int32At(b []byte) int32 { return int32(binary.BigEndian.Uint32(b)) }
func int64At(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }
