package amqp

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// reader reads AMQP values from a frame's payload. After the first failure it
// returns zero values, and err says why.
type reader struct {
	data []byte
	deep int // how deep tables and arrays may nest
	err  error
}

var errMalformed = errors.New("malformed frame")

func (r *reader) fail() {
	r.err = errMalformed
	r.data = nil
}

// bytes returns the next n bytes, which are the frame's own.
func (r *reader) bytes(n int) []byte {
	if n < 0 || len(r.data) < n {
		r.fail()
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) skip(n int) { r.bytes(n) }

func (r *reader) uint8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) shortString() []byte { return r.bytes(int(r.uint8())) }

func (r *reader) longString() []byte {
	n := r.uint32()
	if n > math.MaxInt32 {
		r.fail()
		return nil
	}
	return r.bytes(int(n))
}

// maxTableDepth bounds the nesting of the headers that a delivery has as
// such. Deeper ones it has as bytes.
const maxTableDepth = 32

// readTable reads a field table, given without its length, in which others
// nest at most deep.
func readTable(raw []byte, deep int) (amqp091.Table, error) {
	r := reader{data: raw, deep: deep}
	t := r.entries()
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// entries reads a table to its end.
func (r *reader) entries() amqp091.Table {
	t := amqp091.Table{}
	for len(r.data) > 0 {
		key := string(r.shortString())
		t[key] = r.field()
	}
	return t
}

// elements reads an array to its end.
func (r *reader) elements() []any {
	var a []any
	for len(r.data) > 0 {
		a = append(a, r.field())
	}
	return a
}

// nested has read take apart the table or array that comes next.
func nested[T any](r *reader, read func(*reader) T) T {
	inner := reader{data: r.longString(), deep: r.deep - 1}
	if inner.deep < 0 {
		inner.fail()
	}
	v := read(&inner)
	if inner.err != nil {
		r.fail()
	}
	return v
}

// field reads a value with its type, as RabbitMQ and the client library
// understand the types.
func (r *reader) field() any {
	switch r.uint8() {
	case 't':
		return r.uint8() != 0
	case 'b':
		return int8(r.uint8())
	case 'B':
		return r.uint8()
	case 's':
		return int16(r.uint16())
	case 'u':
		return r.uint16()
	case 'I':
		return int32(r.uint32())
	case 'i':
		return r.uint32()
	case 'l':
		return int64(r.uint64())
	case 'f':
		return math.Float32frombits(r.uint32())
	case 'd':
		return math.Float64frombits(r.uint64())
	case 'D':
		return amqp091.Decimal{Scale: r.uint8(), Value: int32(r.uint32())}
	case 'S':
		return string(r.longString())
	case 'x':
		return append([]byte{}, r.longString()...)
	case 'A':
		return nested(r, (*reader).elements)
	case 'F':
		return nested(r, (*reader).entries)
	case 'T':
		return time.Unix(int64(r.uint64()), 0)
	case 'V':
		return nil
	}
	r.fail()
	return nil
}
