package reading

import "math"

// Kind is the type of a [Value].
type Kind uint8

// The kinds of values.
const (
	None  Kind = iota // no value, as when a sensor does not answer
	Float             // IEEE 754, 64 bits
	Int               // 64 bits, signed
	Bool
	Text // UTF-8
)

var kindNames = [...]string{None: "none", Float: "float", Int: "int", Bool: "bool", Text: "text"}

// String returns the name of a kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Value is what was read. Two are equal (==) when their kinds and bits are: NaN
// equals NaN with the same bits, and 0 is not −0. The zero Value is none.
type Value struct {
	kind Kind
	bits uint64
	text string
}

// OfFloat returns a float; NaN keeps its bits.
func OfFloat(f float64) Value { return Value{kind: Float, bits: math.Float64bits(f)} }

// OfInt returns an integer.
func OfInt(i int64) Value { return Value{kind: Int, bits: uint64(i)} }

// OfText returns a text, which should be UTF-8: see [Reading.Validate].
func OfText(s string) Value { return Value{kind: Text, text: s} }

// OfBool returns a boolean.
func OfBool(b bool) Value {
	v := Value{kind: Bool}
	if b {
		v.bits = 1
	}
	return v
}

// Kind returns the type.
func (v Value) Kind() Kind { return v.kind }

// Float returns a float, and 0 for another kind.
func (v Value) Float() float64 {
	if v.kind != Float {
		return 0
	}
	return math.Float64frombits(v.bits)
}

// Int returns an integer, and 0 for another kind.
func (v Value) Int() int64 {
	if v.kind != Int {
		return 0
	}
	return int64(v.bits)
}

// Bool returns a boolean, and false for another kind.
func (v Value) Bool() bool { return v.kind == Bool && v.bits != 0 }

// Text returns a text, and "" for another kind.
func (v Value) Text() string { return v.text }
