package blob

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// tableColumns says which columns of a table hold the members of a reading. ""
// is none.
type tableColumns struct {
	site, line, device, tag, time, quality, seq string
	values                                      []string
	unit                                        TimeUnit // of times that are plain numbers; "" is none
	sink                                        bool     // they are those of this package's sink
}

// sinkColumns are those that the sink writes.
var sinkColumns = tableColumns{
	site: "site", line: "line", device: "device", tag: "tag", time: "ts", quality: "quality", seq: "seq",
	values: []string{"value", "value_text", "value_bool"}, sink: true,
}

const extraColumn = "extra"

// table returns the columns that a configuration names.
func (c *Columns) table() tableColumns {
	return tableColumns{
		site: c.Site, line: c.Line, device: c.Device, tag: c.Tag, time: c.Time, quality: c.Quality, seq: c.Seq, values: c.Value, unit: c.TimeUnit,
	}
}

// textOf returns how values of a column are made texts.
func textOf(leaf parquet.LeafColumn) (func(parquet.Value) string, error) {
	if err := flat(leaf); err != nil {
		return nil, err
	}
	switch leaf.Node.Type().Kind() {
	case parquet.ByteArray:
		if _, decimal := logicalType(leaf).(*format.DecimalType); !decimal {
			return func(v parquet.Value) string { return string(v.ByteArray()) }, nil
		}
	case parquet.Int32, parquet.Int64:
		if whole, err := integerOf(leaf); err == nil {
			return func(v parquet.Value) string {
				if n, ok := whole(v); ok {
					return strconv.FormatInt(n, 10)
				}
				return strconv.FormatUint(v.Uint64(), 10)
			}, nil
		}
	}
	return nil, unfit(leaf, "a text")
}

// integerOf returns how values of a column are made integers; ok is false for one
// that 64 bits with a sign do not hold.
func integerOf(leaf parquet.LeafColumn) (func(parquet.Value) (n int64, ok bool), error) {
	if err := flat(leaf); err != nil {
		return nil, err
	}
	signed := true
	switch l := logicalType(leaf).(type) {
	case nil:
	case *format.IntType:
		signed = l.IsSigned
	default:
		return nil, unfit(leaf, "an integer")
	}
	switch kind := leaf.Node.Type().Kind(); {
	case kind == parquet.Int32 && signed:
		return func(v parquet.Value) (int64, bool) { return int64(v.Int32()), true }, nil
	case kind == parquet.Int32:
		return func(v parquet.Value) (int64, bool) { return int64(v.Uint32()), true }, nil
	case kind == parquet.Int64 && signed:
		return func(v parquet.Value) (int64, bool) { return v.Int64(), true }, nil
	case kind == parquet.Int64:
		return func(v parquet.Value) (int64, bool) { return v.Int64(), v.Int64() >= 0 }, nil
	}
	return nil, unfit(leaf, "an integer")
}

// valueOf returns how values of a column are made those of readings.
func valueOf(leaf parquet.LeafColumn, sink bool) (func(parquet.Value) (reading.Value, error), error) {
	if err := flat(leaf); err != nil {
		return nil, err
	}
	switch leaf.Node.Type().Kind() {
	case parquet.Boolean:
		return func(v parquet.Value) (reading.Value, error) { return reading.OfBool(v.Boolean()), nil }, nil
	case parquet.Double:
		if sink {
			return func(v parquet.Value) (reading.Value, error) { return sinkNumber(v.Double()), nil }, nil
		}
		return func(v parquet.Value) (reading.Value, error) { return reading.OfFloat(v.Double()), nil }, nil
	case parquet.Float:
		return func(v parquet.Value) (reading.Value, error) { return reading.OfFloat(float64(v.Float())), nil }, nil
	case parquet.Int32, parquet.Int64:
		whole, err := integerOf(leaf)
		if err != nil {
			return nil, err
		}
		return func(v parquet.Value) (reading.Value, error) {
			n, ok := whole(v)
			if !ok {
				return reading.Value{}, fmt.Errorf("the value %d is larger than an integer of a reading", v.Uint64())
			}
			return reading.OfInt(n), nil
		}, nil
	case parquet.ByteArray:
		text, err := textOf(leaf)
		if err != nil {
			return nil, err
		}
		return func(v parquet.Value) (reading.Value, error) { return reading.OfText(text(v)), nil }, nil
	}
	return nil, unfit(leaf, "a value")
}

// sinkNumber is what the sink has read a number from, unless extra says so.
func sinkNumber(f float64) reading.Value {
	if isInteger(f) && !(f == 0 && math.Signbit(f)) {
		return reading.OfInt(int64(f))
	}
	return reading.OfFloat(f)
}

// times makes nanoseconds since 1970 of the values of a column.
type times struct {
	of   func(parquet.Value) (int64, bool) // ok is false for one that is no time, or outside of the years 1678 to 2261
	unit int64                             // in nanoseconds, of a column of 64-bit integers; 0 for others
}

// timesOf returns how values of a column are made times.
func timesOf(leaf parquet.LeafColumn, plain TimeUnit) (times, error) {
	if err := flat(leaf); err != nil {
		return times{}, err
	}
	typ := leaf.Node.Type()
	switch typ.Kind() {
	case parquet.Int96:
		return times{of: int96Nanos}, nil
	case parquet.ByteArray:
		return times{of: func(v parquet.Value) (int64, bool) {
			t, err := time.Parse(time.RFC3339Nano, string(v.ByteArray()))
			return t.UnixNano(), err == nil && t.After(earliest) && t.Before(latest)
		}}, nil
	case parquet.Int64, parquet.Int32:
		unit := timestampUnit(leaf)
		if unit == 0 && plain == "" {
			return times{}, fmt.Errorf("the column %s holds plain numbers: give columns.timeUnit, their unit", strings.Join(leaf.Path, "."))
		}
		if unit == 0 {
			unit = plain.nanos()
		}
		if typ.Kind() == parquet.Int32 {
			return times{of: func(v parquet.Value) (int64, bool) { return scaled(int64(v.Int32()), unit) }}, nil
		}
		return times{unit: unit, of: func(v parquet.Value) (int64, bool) { return scaled(v.Int64(), unit) }}, nil
	case parquet.Double:
		if plain == "" {
			return times{}, fmt.Errorf("the column %s holds plain numbers: give columns.timeUnit, their unit", strings.Join(leaf.Path, "."))
		}
		return times{of: func(v parquet.Value) (int64, bool) {
			nanos := v.Double() * float64(plain.nanos())
			return int64(math.Round(nanos)), math.Abs(nanos) < math.MaxInt64
		}}, nil
	}
	return times{}, unfit(leaf, "a time")
}

// timestampUnit returns the unit of a timestamp in nanoseconds, or 0.
func timestampUnit(leaf parquet.LeafColumn) int64 {
	if t, ok := logicalType(leaf).(*format.TimestampType); ok {
		switch t.Unit.Value.(type) {
		case *format.MilliSeconds:
			return int64(time.Millisecond)
		case *format.MicroSeconds:
			return int64(time.Microsecond)
		case *format.NanoSeconds:
			return 1
		}
	}
	if c := leaf.Node.Type().ConvertedType(); c != nil {
		switch *c {
		case deprecated.TimestampMillis:
			return int64(time.Millisecond)
		case deprecated.TimestampMicros:
			return int64(time.Microsecond)
		}
	}
	return 0
}

// scaled returns n units in nanoseconds.
func scaled(n, unit int64) (int64, bool) {
	return n * unit, n <= math.MaxInt64/unit && n >= math.MinInt64/unit
}

// int96Nanos takes the timestamps of older Spark: nanoseconds of the day, and a
// Julian day.
func int96Nanos(v parquet.Value) (int64, bool) {
	const epoch, day = 2440588, int64(24 * time.Hour)
	i := v.Int96()
	days, ok := scaled(int64(i[2])-epoch, day)
	nanos := int64(uint64(i[1])<<32 | uint64(i[0]))
	return days + nanos, ok && nanos >= 0 && nanos < day && (days < 0 || days <= math.MaxInt64-day)
}

func logicalType(leaf parquet.LeafColumn) format.LogicalTypeValue {
	if l := leaf.Node.Type().LogicalType(); l != nil {
		return l.Value
	}
	return nil
}

func flat(leaf parquet.LeafColumn) error {
	if leaf.MaxRepetitionLevel > 0 {
		return unfit(leaf, "a single value")
	}
	return nil
}

func unfit(leaf parquet.LeafColumn, what string) error {
	return fmt.Errorf("the column %s is %s, which cannot be read as %s", strings.Join(leaf.Path, "."), leaf.Node.Type(), what)
}
