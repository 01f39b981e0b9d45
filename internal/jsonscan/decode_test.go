package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"testing"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

func TestDecode(t *testing.T) {
	const reading = ` {"a": 1, "b" : -0, "\u0063": [1.5, {"a": "x\ty"}, null, true, false, []], "a": 2, "d": 9223372036854775807, "e": 9223372036854775808} `
	whole := map[string]any{
		"a": int64(1), "b": 0.0, "c": []any{1.5, map[string]any{"a": "x\ty"}, nil, true, false, []any{}},
		"d": int64(9223372036854775807), "e": 9223372036854775808.0,
	}
	got, err := jsonscan.Decode([]byte(reading), nil)
	if err != nil || !reflect.DeepEqual(got, whole) {
		t.Errorf("got %#v, error %v, want %#v", got, err, whole)
	}
	got, err = jsonscan.Decode([]byte(reading), map[string]bool{"c": true, "x": true})
	if want := (map[string]any{"c": whole["c"]}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, error %v, want %#v", got, err, want)
	}
	for text, want := range map[string]string{
		``:                  "byte 0: a value is missing",
		`{"a":1} x`:         "byte 8: something follows the value",
		"[\"\xff\"]":        "byte 2: the bytes are no UTF-8",
		`[1,-1e400]`:        "byte 3: the number is out of range",
		`{"a":1,"b":[1 2]}`: "byte 14: a , or ] is missing after an element",
	} {
		if _, err := jsonscan.Decode([]byte(text), nil); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
	if _, err := jsonscan.Decode([]byte(`{"a":1e400,"b":1}`), map[string]bool{"b": true}); err != nil {
		t.Errorf("a number that nobody asked for: %v", err)
	}
}

// FuzzDecode compares with encoding/json.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,2.5,-0,1e5,"\ud83d\ude00",{"b":null}],"a":1}`, `"\ud800"`, `[[],[{}]]`, ` true `, `1x`, "\"\xff\"", `12345678901234567890`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		got, err := jsonscan.Decode(b, nil)
		if !bytes.Equal(b, before) {
			t.Fatal("the text was changed")
		}
		if !jsonscan.Check(b).Valid {
			var wrong *jsonscan.SyntaxError
			if !errors.As(err, &wrong) || wrong.Offset > len(b) || wrong.Problem == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		want, wantErr := decodeFirst(d)
		if wantErr != nil {
			if err == nil {
				t.Fatalf("%q: %v was let pass", b, wantErr)
			}
			return
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, error %v, want %#v", b, got, err, want)
		}
	})
}

// decodeFirst reads a value of which the first of equal names counts. Its error
// says that a number is out of range.
func decodeFirst(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	var failed error
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			array := []any{}
			for d.More() {
				v, err := decodeFirst(d)
				failed = errors.Join(failed, err)
				array = append(array, v)
			}
			_, err := d.Token()
			return array, errors.Join(failed, err)
		}
		object := map[string]any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeFirst(d)
			if _, known := object[name.(string)]; known {
				continue
			}
			failed = errors.Join(failed, err)
			object[name.(string)] = v
		}
		_, err := d.Token()
		return object, errors.Join(failed, err)
	case json.Number:
		if i, err := strconv.ParseInt(token.String(), 10, 64); err == nil && token.String() != "-0" {
			return i, nil
		}
		return strconv.ParseFloat(token.String(), 64)
	default:
		return token, nil
	}
}
