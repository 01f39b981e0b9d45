package batch_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// TestBombs: a small body that says much costs what the limits allow, and no
// more. Memory is counted as it is allocated, whether or not it is in use at the
// same time, beyond which a decoder's own fits into the slack.
func TestBombs(t *testing.T) {
	const slack = 6 << 20
	limits := batch.Limits{MaxBytes: 8 << 20, MaxReadings: 10_000}
	const ofReadings = 10_000 * 128 * 2 // growing may take a copy
	zeros := make([]byte, 64<<20)
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	sized := z.EncodeAll(zeros, nil)
	var unsized bytes.Buffer
	z.Reset(&unsized)
	if _, err := z.Write(zeros); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	frames := bytes.Repeat(z.EncodeAll(zeros[:1<<20], nil), 16)

	text := reading.Reading{Device: "d", Tag: "t", Value: reading.OfText(strings.Repeat("x", reading.MaxText/2))}
	sameText := make([]reading.Reading, 5000)
	names := make([]byte, 1<<19) // half a million empty ones, in 10,000 readings
	for i := range sameText {
		sameText[i] = text
	}
	packed := func(content []byte) []byte { return z.EncodeAll(content, []byte{1}) }

	for _, tt := range []struct {
		name  string
		codec batch.Codec
		body  []byte
		most  int
		want  batch.Reason
	}{
		{"gzip of zeros", batch.JSONGzip(), gzipOf(t, zeros), 3*limits.MaxBytes + slack, batch.ReasonLimits},
		{"zstd of zeros", batch.JSONZstd(), sized, slack, batch.ReasonLimits},
		{"zstd of zeros, with no word of their number", batch.JSONZstd(), unsized.Bytes(), slack, batch.ReasonBody},
		{"many zstd frames", batch.JSONZstd(), frames, 1<<20 + slack, batch.ReasonBody},
		{"columns of zeros", batch.Columnar(), append([]byte{1}, sized...), slack, batch.ReasonLimits},
		{"many readings", batch.Columnar(), packed(batch.Columns(make([]reading.Reading, 100_000))), slack, batch.ReasonLimits},
		{"many names", batch.Columnar(), packed(append([]byte("\x90\x4e\xa0\xc2\x1e"), names...)), slack, batch.ReasonBody},
		{"one text in many readings", batch.Columnar(), packed(batch.Columns(sameText)), ofReadings + slack, batch.ReasonLimits},
	} {
		good, err := tt.codec.Append(nil, mixed(100)) // what is made once is there then
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tt.codec.Decode(nil, good, limits); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = tt.codec.Decode(nil, tt.body, limits)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Fatalf("%s: nobody objects", tt.name)
		}
		if tt.want != batch.ReasonBody {
			if reason := wantCorrupt(t, err); reason != tt.want {
				t.Errorf("%s: %v, want the reason %s", tt.name, err, tt.want)
			}
		}
		took := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes of body, %d bytes of memory", tt.name, len(tt.body), took)
		if took > uint64(tt.most) {
			t.Errorf("%s: %d bytes of body take %d bytes of memory, more than %d", tt.name, len(tt.body), took, tt.most)
		}
	}
}
