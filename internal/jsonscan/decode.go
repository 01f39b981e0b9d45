package jsonscan

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Decode returns what a text holds: nil, bool, int64, float64, string, []any or
// map[string]any. A whole number that int64 can hold is one; any other number is
// a float64, and an error beyond its range. Of members with the same name
// the first counts. When the text is an object and members is not nil, only the
// members that it names are returned, at the first level.
//
// The error of a text that is no JSON in UTF-8 is a [*SyntaxError].
func Decode(b []byte, members map[string]bool) (any, error) {
	if !Check(b).Valid {
		return nil, explain(b)
	}
	d := decoder{scanner: scanner{b: b}, text: string(b)}
	v, _ := d.decode(d.space(0), members)
	return v, d.err
}

// explain says what is wrong with a text that is not valid.
func explain(b []byte) *SyntaxError {
	s := scanner{b: b}
	i := s.value(s.space(0), 1)
	if i >= 0 {
		if i = s.space(i); i < len(b) {
			s.fail(i, trailing)
		} else {
			for i = 0; ; {
				r, size := utf8.DecodeRune(b[i:])
				if r == utf8.RuneError && size == 1 {
					s.fail(i, noUTF8)
					break
				}
				i += size
			}
		}
	}
	return &SyntaxError{Offset: s.failedAt, Problem: problems[s.problem]}
}

// decoder makes values of a valid text.
type decoder struct {
	scanner
	text string // the same text: strings without escapes are pieces of it
	err  error  // the first
}

// decode returns the value at i, and the index after it.
func (d *decoder) decode(i int, members map[string]bool) (any, int) {
	switch d.b[i] {
	case '{':
		return d.decodeObject(i+1, members)
	case '[':
		return d.decodeArray(i + 1)
	case '"':
		return d.decodeString(i + 1)
	case 't':
		return true, i + len("true")
	case 'f':
		return false, i + len("false")
	case 'n':
		return nil, i + len("null")
	}
	end := d.number(i)
	return d.decodeNumber(i, end), end
}

func (d *decoder) decodeObject(i int, members map[string]bool) (map[string]any, int) {
	object := make(map[string]any, len(members))
	for i = d.space(i); d.b[i] != '}'; {
		name, next := d.decodeString(i + 1)
		i = d.space(d.space(next) + 1) // past the colon
		_, known := object[name]
		if known || members != nil && !members[name] {
			i = d.value(i, 1)
		} else {
			object[name], i = d.decode(i, nil)
		}
		if i = d.space(i); d.b[i] == ',' {
			i = d.space(i + 1)
		}
	}
	return object, i + 1
}

func (d *decoder) decodeArray(i int) ([]any, int) {
	array := []any{}
	for i = d.space(i); d.b[i] != ']'; {
		var v any
		v, i = d.decode(i, nil)
		array = append(array, v)
		if i = d.space(i); d.b[i] == ',' {
			i = d.space(i + 1)
		}
	}
	return array, i + 1
}

func (d *decoder) decodeString(start int) (string, int) {
	d.escaped = false
	end := d.string(start)
	if d.escaped {
		return string(appendUnescaped(nil, d.b[start:end-1])), end
	}
	return d.text[start : end-1], end
}

func (d *decoder) decodeNumber(start, end int) any {
	text := d.text[start:end]
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		return i
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("byte %d: the number is out of range", start)
	}
	return f
}
