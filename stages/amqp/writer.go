package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// writeTable is the reverse of [readTable], at any depth. It fails on what
// AMQP has no type for and on more than a frame holds.
func writeTable(t amqp091.Table) ([]byte, error) { return appendEntries(nil, t) }

func appendEntries(b []byte, t amqp091.Table) ([]byte, error) {
	for k, v := range t {
		if len(k) > maxShortString {
			return nil, fmt.Errorf("name of a header of %d bytes exceeds %d", len(k), maxShortString)
		}
		var err error
		if b, err = appendField(append(append(b, byte(len(k))), k...), v); err != nil {
			return nil, inHeader(k, err)
		}
	}
	return b, nil
}

// headerError says in which header something is wrong.
type headerError struct {
	name string
	err  error
}

func (e *headerError) Error() string { return fmt.Sprintf("header %q: %v", e.name, e.err) }
func (e *headerError) Unwrap() error { return e.err }

// inHeader names the innermost header alone: tables nest as deep as they like.
func inHeader(name string, err error) error {
	var inner *headerError
	if errors.As(err, &inner) {
		return err
	}
	return &headerError{name, err}
}

func appendElements(b []byte, a []any) ([]byte, error) {
	var err error
	for _, v := range a {
		if b, err = appendField(b, v); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// appendSized appends what add does, behind its length.
func appendSized[T any](b []byte, v T, add func([]byte, T) ([]byte, error)) ([]byte, error) {
	start := len(b) + 4
	b, err := add(append(b, 0, 0, 0, 0), v)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return b, nil
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

// appendField writes a value with its type.
func appendField(b []byte, value any) ([]byte, error) {
	if len(b) > maxFrame { // seen on the way down, so that it ends even on a table inside itself
		return nil, fmt.Errorf("headers exceed the %d bytes of a frame", maxFrame)
	}
	be := binary.BigEndian
	switch v := value.(type) {
	case nil:
		return append(b, 'V'), nil
	case bool:
		if v {
			return append(b, 't', 1), nil
		}
		return append(b, 't', 0), nil
	case int8:
		return append(b, 'b', uint8(v)), nil
	case uint8:
		return append(b, 'B', v), nil
	case int16:
		return be.AppendUint16(append(b, 's'), uint16(v)), nil
	case uint16:
		return be.AppendUint16(append(b, 'u'), v), nil
	case int32:
		return be.AppendUint32(append(b, 'I'), uint32(v)), nil
	case int: // the client library sends it as an int32
		return be.AppendUint32(append(b, 'I'), uint32(v)), nil
	case uint32:
		return be.AppendUint32(append(b, 'i'), v), nil
	case int64:
		return be.AppendUint64(append(b, 'l'), uint64(v)), nil
	case float32:
		return be.AppendUint32(append(b, 'f'), math.Float32bits(v)), nil
	case float64:
		return be.AppendUint64(append(b, 'd'), math.Float64bits(v)), nil
	case amqp091.Decimal:
		return be.AppendUint32(append(b, 'D', v.Scale), uint32(v.Value)), nil
	case string:
		return appendBytes(append(b, 'S'), v), nil
	case []byte:
		return appendBytes(append(b, 'x'), v), nil
	case time.Time:
		return be.AppendUint64(append(b, 'T'), uint64(v.Unix())), nil
	case amqp091.Table:
		return appendSized(append(b, 'F'), v, appendEntries)
	case []any:
		return appendSized(append(b, 'A'), v, appendElements)
	}
	return nil, fmt.Errorf("%T is no AMQP type", value)
}
