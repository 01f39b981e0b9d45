package batch_test

import (
	"encoding/hex"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// TestDocumentedFrame decodes the example of docs/batch-format.md, and makes it.
func TestDocumentedFrame(t *testing.T) {
	page, err := os.ReadFile("../../../docs/batch-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "## An example")
	_, example, _ = strings.Cut(example, "```\n")
	example, _, found := strings.Cut(example, "```")
	if !found {
		t.Fatal("the page has no example")
	}
	var frame []byte
	digits := regexp.MustCompile(`^([0-9a-f]{2} {1,2})+`)
	for line := range strings.Lines(example) {
		b, err := hex.DecodeString(strings.ReplaceAll(digits.FindString(strings.TrimSuffix(line, "\n")+" "), " ", ""))
		if err != nil || len(b) == 0 {
			t.Fatalf("%q: %v", line, err)
		}
		frame = append(frame, b...)
	}
	const at = 1_795_230_245_120_000_000
	of := func(tag string, time int64, v reading.Value, seq uint64) reading.Reading {
		return reading.Reading{Site: "plant1", Line: "line2", Device: "press7", Tag: tag, Time: time, Value: v, Quality: "good", Seq: seq}
	}
	want := []reading.Reading{
		of("temp", at, reading.OfFloat(21.5), 12), of("on", at, reading.OfBool(true), 13),
		of("temp", at+100e6, reading.OfFloat(21.25), 14), of("on", at+100e6, reading.OfBool(false), 15),
	}
	b, err := batch.Parse(frame, batch.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Decode(batch.All(), nil, batch.Limits{})
	if err != nil || !slices.Equal(got, want) || b.Sequence != 42 {
		t.Errorf("batch %d holds %+v, %v", b.Sequence, got, err)
	}
	made, err := batch.Append(nil, batch.Columnar(), "press7", 42, want)
	if err != nil || !slices.Equal(made, frame) {
		t.Errorf("%v, made\n%s", err, hex.Dump(made))
	}
}
