package batch_test

import (
	"slices"
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// small are limits under which nothing takes much memory: what fuzzing finds
// besides is a bug.
var small = batch.Limits{MaxBytes: 1 << 20, MaxReadings: 5000}

// FuzzParse: what is taken for whole is what Append would have written.
func FuzzParse(f *testing.F) {
	for _, c := range batch.All() {
		rs := mixed(20)
		frame, err := batch.Append(nil, c, rs[0].Device, 7, rs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		frame = batch.Resealed(frame) // otherwise nothing that changed would get beyond the checksum
		b, err := batch.Parse(frame, small)
		if err != nil {
			wantCorrupt(t, err)
			return
		}
		if e, err := batch.ParseEnvelope(frame); err != nil || e != b.Envelope {
			t.Fatalf("the envelope is %+v, alone %+v, %v", b.Envelope, e, err)
		}
		rs, err := b.Decode(batch.All(), nil, small)
		if err != nil {
			wantCorrupt(t, err)
			return
		}
		checkAgain(t, b.Device, rs)
	})
}

func FuzzDecodeJSONGzip(f *testing.F) { fuzzDecode(f, batch.JSONGzip()) }
func FuzzDecodeJSONZstd(f *testing.F) { fuzzDecode(f, batch.JSONZstd()) }
func FuzzDecodeColumnar(f *testing.F) { fuzzDecode(f, batch.Columnar()) }

// fuzzDecode: what is decoded is valid, and can be encoded and decoded again.
func fuzzDecode(f *testing.F, c batch.Codec) {
	for _, s := range signals {
		for _, n := range []int{0, 1, 100} {
			body, err := c.Append(nil, s.make(n))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body)
		}
	}
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		rs, err := c.Decode(nil, body, small)
		if err != nil {
			if len(rs) > 0 {
				t.Fatalf("an error and %d readings: %v", len(rs), err)
			}
			return
		}
		checkAgain(t, "", rs)
	})
}

// FuzzColumns leaves the compression out, so that the columns themselves change.
func FuzzColumns(f *testing.F) {
	for _, s := range signals {
		for _, n := range []int{1, 3, 30} {
			f.Add(batch.Columns(s.make(n)))
		}
	}
	f.Fuzz(func(t *testing.T, columns []byte) {
		rs, err := batch.Columnar().Decode(nil, append([]byte{0}, columns...), small)
		if err == nil {
			checkAgain(t, "", rs)
		}
	})
}

// checkAgain puts readings, of a device if that is known, through all codecs.
func checkAgain(t *testing.T, device string, rs []reading.Reading) {
	for i := range rs {
		if err := rs[i].Validate(); err != nil {
			t.Fatalf("reading %d: %v", i, err)
		}
		if device != "" && rs[i].Device != device {
			t.Fatalf("reading %d is of %q, the batch of %q", i, rs[i].Device, device)
		}
	}
	for _, c := range batch.All() {
		body, err := c.Append(nil, rs)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Decode(nil, body, batch.Limits{})
		if err != nil || !slices.Equal(again, rs) {
			t.Fatalf("%s: %+v became %+v, %v", c.Name(), rs, again, err)
		}
	}
}
