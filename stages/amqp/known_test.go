package amqp

import (
	"fmt"
	"testing"
	"unsafe"
)

// TestTextsThatComeAgainAreOne says that a text is the same string from its
// second time on, however many others come once in between.
func TestTextsThatComeAgainAreOne(t *testing.T) {
	var known knownTexts
	often := []byte("telemetry.plant1.line1.press-0001.temperature")
	var first string
	for i := range 10 * maxKnown {
		if other := fmt.Appendf(nil, "once.%d", i); known.text(other) != string(other) {
			t.Fatalf("%q becomes something else", other)
		}
		if i%100 != 0 {
			continue
		}
		s := known.text(often)
		if s != string(often) {
			t.Fatalf("got %q", s)
		}
		if i == 100 {
			first = s
		}
		if i > 100 && unsafe.StringData(s) != unsafe.StringData(first) {
			t.Fatalf("after %d others it is a new string", i)
		}
		if n := len(known.young) + len(known.old); n > maxKnown {
			t.Fatalf("%d are remembered", n)
		}
	}
}

// TestTextsInTurns has all that fit come again and again: none is a new string.
func TestTextsInTurns(t *testing.T) {
	var known knownTexts
	texts := make([][]byte, 2000)
	for i := range texts {
		texts[i] = fmt.Appendf(nil, "text %d", i)
	}
	for range 2 {
		for _, b := range texts {
			known.text(b)
		}
	}
	i := 0
	if n := testing.AllocsPerRun(len(texts), func() {
		known.text(texts[i%len(texts)])
		i++
	}); n != 0 {
		t.Errorf("%v allocations a text", n)
	}
	if known.text(nil) != "" {
		t.Error("nothing became something")
	}
}
