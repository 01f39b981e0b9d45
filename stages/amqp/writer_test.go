package amqp

import (
	"testing"

	"pgregory.net/rapid"
)

// What is written is read again as it was.
func TestTablesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyTable(4).Draw(t, "table")
		raw, err := writeTable(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readTable(raw, maxTableDepth)
		if err != nil {
			t.Fatalf("%v in %x", err, raw)
		}
		if !same(got, want) {
			t.Fatalf("got %v\nof %x\nwant %v", got, raw, want)
		}
	})
}
