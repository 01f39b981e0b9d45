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

// maxTableDepth bounds the nesting of tables and arrays.
const maxTableDepth = 32

// table reads a field table.
func (r *reader) table(depth int) amqp091.Table {
	inner := reader{data: r.longString()}
	if depth > maxTableDepth {
		r.fail()
		return nil
	}
	t := amqp091.Table{}
	for len(inner.data) > 0 {
		key := string(inner.shortString())
		t[key] = inner.field(depth)
	}
	if inner.err != nil {
		r.fail()
	}
	return t
}

// array reads a field array.
func (r *reader) array(depth int) []any {
	inner := reader{data: r.longString()}
	if depth > maxTableDepth {
		r.fail()
		return nil
	}
	var a []any
	for len(inner.data) > 0 {
		a = append(a, inner.field(depth))
	}
	if inner.err != nil {
		r.fail()
	}
	return a
}

// field reads a value with its type, as RabbitMQ and the client library
// understand the types.
func (r *reader) field(depth int) any {
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
		return r.array(depth + 1)
	case 'F':
		return r.table(depth + 1)
	case 'T':
		return time.Unix(int64(r.uint64()), 0)
	case 'V':
		return nil
	}
	r.fail()
	return nil
}
