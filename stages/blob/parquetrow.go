package blob

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// readingRow declares the columns of a file, in their order. Only the tags matter.
type readingRow struct {
	Site      *string  `parquet:"site,optional,dict"`
	Line      *string  `parquet:"line,optional,dict"`
	Device    *string  `parquet:"device,optional,dict"`
	Tag       *string  `parquet:"tag,optional,dict"`
	Time      *int64   `parquet:"ts,optional,timestamp(microsecond)"`
	Value     *float64 `parquet:"value,optional"`
	ValueText *string  `parquet:"value_text,optional"`
	ValueBool *bool    `parquet:"value_bool,optional"`
	Quality   *string  `parquet:"quality,optional,dict"`
	Seq       *int64   `parquet:"seq,optional"`
	Extra     *string  `parquet:"extra,optional"`
}

var readingSchema = parquet.SchemaOf(readingRow{})

// The numbers of the columns.
const (
	colSite = iota
	colLine
	colDevice
	colTag
	colTime
	colValue
	colValueText
	colValueBool
	colQuality
	colSeq
	colExtra
	columns
)

// row is the row of one payload.
type row struct {
	values parquet.Row
	text   []byte // what values of texts point to
	extra  []byte // members that no column holds exactly
}

// read makes the row of a payload, and reports whether that is a JSON object.
// A member that is no column's, whose type does not fit, or that its column does
// not hold to the last digit, stands in extra as it was written; so does each
// further one of the same name. null stands for a member that is not there.
func (r *row) read(payload []byte) bool {
	r.begin(len(payload))
	r.extra = append(r.extra[:0], '{')
	if !jsonscan.Members(payload, r.member) {
		return false
	}
	if len(r.extra) > 1 {
		r.set(colExtra, parquet.ByteArrayValue(append(r.extra, '}')))
	}
	return true
}

// begin makes an empty row, for a payload of n bytes.
func (r *row) begin(n int) {
	if r.values == nil {
		r.values = make(parquet.Row, columns)
	}
	for i := range r.values {
		r.values[i] = parquet.NullValue().Level(0, 0, i)
	}
	// Values point into text, which must not move.
	if cap(r.text) < n {
		r.text = make([]byte, 0, n)
	}
	r.text = r.text[:0]
}

func (r *row) member(name, value []byte) {
	if value[0] == 'n' {
		return
	}
	if !r.column(name, value) {
		if len(r.extra) > 1 {
			r.extra = append(r.extra, ',')
		}
		r.extra = append(append(append(r.extra, name...), ':'), value...)
	}
}

// column puts a value into its column, and reports whether nothing of it is
// lost there.
func (r *row) column(name, value []byte) bool {
	switch string(name) {
	case `"site"`:
		return r.setText(colSite, value)
	case `"line"`:
		return r.setText(colLine, value)
	case `"device"`:
		return r.setText(colDevice, value)
	case `"tag"`:
		return r.setText(colTag, value)
	case `"quality"`:
		return r.setText(colQuality, value)
	case `"ts"`:
		return r.setTime(value)
	case `"value"`:
		return r.setValue(value)
	case `"seq"`:
		n, err := strconv.ParseInt(string(value), 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == string(value) && r.set(colSeq, parquet.Int64Value(n))
	}
	return false
}

// set reports false when the column has a value already.
func (r *row) set(column int, v parquet.Value) bool {
	if !r.values[column].IsNull() {
		return false
	}
	r.values[column] = v.Level(0, 1, column)
	return true
}

// setText takes a string. One with half a surrogate pair has no exact text.
func (r *row) setText(column int, value []byte) bool {
	if value[0] != '"' {
		return false
	}
	start := len(r.text)
	r.text = jsonscan.AppendString(r.text, value)
	text := r.text[start:len(r.text):len(r.text)]
	return r.set(column, parquet.ByteArrayValue(text)) && !(bytes.ContainsRune(text, '\uFFFD') && bytes.ContainsRune(value, '\\'))
}

// setTime takes a text by RFC 3339. The column has microseconds, in UTC.
func (r *row) setTime(value []byte) bool {
	if value[0] != '"' {
		return false
	}
	text := string(value[1 : len(value)-1])
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return false
	}
	return r.set(colTime, parquet.Int64Value(t.UnixMicro())) && len(text) <= len("2006-01-02T15:04:05.000000Z") && strings.HasSuffix(text, "Z")
}

// setValue takes a number, a string, true or false.
func (r *row) setValue(value []byte) bool {
	switch value[0] {
	case '"':
		return r.setText(colValueText, value)
	case 't', 'f':
		return r.set(colValueBool, parquet.BooleanValue(value[0] == 't'))
	case '{', '[':
		return false
	}
	v, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.IsInf(v, 0) {
		return false
	}
	return r.set(colValue, parquet.DoubleValue(v)) && exact(value, v)
}

// exact reports whether the column tells the number that v was read from: the
// shortest text of v says the same, and a whole number was written as one. The
// type of a number is a part of it: 2.0 is a float, and 2 an integer.
func exact(number []byte, v float64) bool {
	fractional := bytes.ContainsAny(number, ".eE")
	if fractional && isInteger(v) {
		return false
	}
	if len(number) <= 15 && !bytes.ContainsAny(number, "eE") {
		return true // a double holds any 15 digits
	}
	var buf [32]byte
	digits, exponent := decimal(number)
	again, exponentAgain := decimal(strconv.AppendFloat(buf[:0], v, 'e', -1, 64))
	return digits == again && (exponent == exponentAgain || digits == "")
}

// isInteger reports whether f is a whole number that 64 bits hold.
func isInteger(f float64) bool { return f == math.Trunc(f) && f >= math.MinInt64 && f < -math.MinInt64 }

// decimal returns the digits of a JSON number from the first to the last that
// is not zero, and the exponent of 0.digits.
func decimal(number []byte) (digits string, exponent int) {
	mantissa, exp, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(string(number), "-")), "e")
	if exp != "" {
		// One that is too large for an int has made v infinite, or 0.
		exponent, _ = strconv.Atoi(exp) //nolint:errcheck // see above
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = whole + fraction
	exponent += len(whole)
	trimmed := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(trimmed)
	return strings.TrimRight(trimmed, "0"), exponent
}

func (r *row) release() {
	if cap(r.text) > keepBytes {
		r.text = nil
	}
	if cap(r.extra) > keepBytes {
		r.extra = nil
	}
	clear(r.values)
}
