package postgres

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// A column is an array in PostgreSQL's binary format: the values of one column of
// many rows, as one parameter of a statement.
type column struct{ b []byte }

// The header of an array of one dimension: dimensions, whether there are nulls,
// type of the elements, length, lower bound.
const (
	atNulls  = 4
	atLength = 12
	header   = 20
)

func (c *column) begin(oid uint32) {
	c.b = append(c.b[:0], 0, 0, 0, 1, 0, 0, 0, 0)
	c.b = binary.BigEndian.AppendUint32(c.b, oid)
	c.b = append(c.b, 0, 0, 0, 0, 0, 0, 0, 1)
}

func (c *column) end(n int) []byte {
	binary.BigEndian.PutUint32(c.b[atLength:], uint32(n))
	return c.b
}

func (c *column) null() {
	c.b[atNulls+3] = 1
	c.b = append(c.b, 0xff, 0xff, 0xff, 0xff)
}

func (c *column) bool(v bool) {
	c.b = append(c.b, 0, 0, 0, 1, 0)
	if v {
		c.b[len(c.b)-1] = 1
	}
}

func (c *column) int16(v int16) {
	c.b = binary.BigEndian.AppendUint16(append(c.b, 0, 0, 0, 2), uint16(v))
}

func (c *column) int32(v int32) {
	c.b = binary.BigEndian.AppendUint32(append(c.b, 0, 0, 0, 4), uint32(v))
}

func (c *column) int64(v int64) {
	c.b = binary.BigEndian.AppendUint64(append(c.b, 0, 0, 0, 8), uint64(v))
}

func (c *column) text(v string) {
	c.b = append(binary.BigEndian.AppendUint32(c.b, uint32(len(v))), v...)
}

// The columns of points, in the order in which statements name them.
const (
	colTS = iota
	colSeq
	colFloat
	colInt
	colSeries
	colPlace
	colNS
	colBool
	colQuality
	colText
	colRaw
	numColumns
)

var columnTypes = [numColumns]uint32{
	colTS: pgtype.TimestamptzOID, colSeq: pgtype.Int8OID, colFloat: pgtype.Float8OID, colInt: pgtype.Int8OID, colSeries: pgtype.Int4OID, colPlace: pgtype.Int4OID,
	colNS: pgtype.Int2OID, colBool: pgtype.BoolOID, colQuality: pgtype.TextOID, colText: pgtype.TextOID, colRaw: pgtype.ByteaOID,
}

// columns hold many points. They are used again, so that rows cost no allocation.
type columns struct {
	cols   [numColumns]column
	params [numColumns][]byte
}

// encode returns the parameters of a statement, which are good until the next
// call.
func (c *columns) encode(points []point) [][]byte {
	for i := range c.cols {
		c.cols[i].begin(columnTypes[i])
	}
	for i := range points {
		c.add(&points[i])
	}
	for i := range c.cols {
		c.params[i] = c.cols[i].end(len(points))
	}
	return c.params[:]
}

func (c *columns) add(p *point) {
	micros, ns := split(p.reading.Time)
	c.cols[colTS].int64(micros - postgresEpoch)
	c.cols[colNS].int16(ns)
	c.cols[colSeq].int64(seqToSQL(p.reading.Seq))
	c.cols[colSeries].int32(p.series)
	c.cols[colPlace].int32(p.place)
	c.cols[colQuality].text(p.reading.Quality)
	v := p.reading.Value
	held := -1 // the column that holds the value
	switch v.Kind() {
	case reading.Float:
		held = colFloat
		c.cols[held].int64(int64(math.Float64bits(v.Float())))
	case reading.Int:
		held = colInt
		c.cols[held].int64(v.Int())
	case reading.Bool:
		held = colBool
		c.cols[held].bool(v.Bool())
	case reading.Text:
		held = colText
		if strings.IndexByte(v.Text(), 0) >= 0 {
			held = colRaw
		}
		c.cols[held].text(v.Text())
	case reading.None:
	}
	for _, i := range [...]int{colFloat, colInt, colBool, colText, colRaw} {
		if i != held {
			c.cols[i].null()
		}
	}
}

// postgresEpoch is 2000-01-01, from which PostgreSQL counts, in microseconds.
const postgresEpoch = 946_684_800_000_000

// split returns a time in microseconds and the nanoseconds below, 0 to 999.
func split(nanos int64) (micros int64, ns int16) {
	micros, ns = nanos/1000, int16(nanos%1000)
	if ns < 0 {
		micros, ns = micros-1, ns+1000
	}
	return micros, ns
}

// join is the inverse of split. At the least int64 the product wraps around, and
// the sum back.
func join(micros int64, ns int16) int64 { return micros*1000 + int64(ns) }

// A sequence number has 64 bits and no sign, a bigint has one: moved by 2^63 they
// sort alike.
func seqToSQL(seq uint64) int64   { return int64(seq ^ 1<<63) }
func seqFromSQL(seq int64) uint64 { return uint64(seq) ^ 1<<63 }
