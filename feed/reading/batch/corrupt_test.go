package batch_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// wantCorrupt returns the reason of an error.
func wantCorrupt(t testing.TB, err error) batch.Reason {
	t.Helper()
	var c *batch.Corrupt
	if !errors.As(err, &c) || c.Reason == "" || c.Err == nil {
		t.Fatalf("the error is no *Corrupt: %v", err)
	}
	return c.Reason
}

// open parses and decodes a frame.
func open(frame []byte, l batch.Limits) ([]reading.Reading, error) {
	b, err := batch.Parse(frame, l)
	if err != nil {
		return nil, err
	}
	return b.Decode(batch.All(), nil, l)
}

func frameOf(t testing.TB, c batch.Codec, rs []reading.Reading) []byte {
	t.Helper()
	frame, err := batch.Append(nil, c, rs[0].Device, 42, rs)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestEachByteCounts flips each bit of a frame, and cuts it at each byte: nothing
// of it may pass.
func TestEachByteCounts(t *testing.T) {
	for _, c := range batch.All() {
		frame := frameOf(t, c, mixed(20))
		if _, err := open(frame, batch.Limits{}); err != nil {
			t.Fatal(err)
		}
		for i := range frame {
			for bit := range 8 {
				frame[i] ^= 1 << bit
				if _, err := batch.Parse(frame, batch.Limits{}); err == nil {
					t.Fatalf("%s: bit %d of byte %d of %d is another, and nobody sees it", c.Name(), bit, i, len(frame))
				}
				frame[i] ^= 1 << bit
			}
			_, err := batch.Parse(frame[:i], batch.Limits{})
			if reason := wantCorrupt(t, err); reason != batch.ReasonTruncated {
				t.Fatalf("%s: cut at byte %d of %d: %v", c.Name(), i, len(frame), err)
			}
		}
	}
}

// TestReasons plants each corruption.
func TestReasons(t *testing.T) {
	rs := mixed(10)
	first, last := rs[0].Time, rs[9].Time
	good := batch.Envelope{Device: rs[0].Device, Sequence: 1, Codec: "json+gzip", Count: 10, First: first, Last: last}
	body := gzipOf(t, lines(rs))
	sealed := func(change func(*batch.Envelope), body []byte) []byte {
		e := good
		change(&e)
		return batch.Seal(e, body)
	}
	same := func(*batch.Envelope) {}
	if _, err := open(sealed(same, body), batch.Limits{}); err != nil {
		t.Fatal(err)
	}
	frame := sealed(same, body)
	flipped := bytes.Clone(frame)
	flipped[len(flipped)-9] ^= 1
	stranger := mixed(10)
	stranger[3].Device = "device0008"
	long := mixed(10)
	long[2].Value = reading.OfText(strings.Repeat("x", 1001))
	zstdBody := func(content []byte, opts ...zstd.EOption) []byte {
		z, err := zstd.NewWriter(nil, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return z.EncodeAll(content, nil)
	}
	// Decoders pass over both.
	emptyFrame := []byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00")
	skippableFrame := []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc")
	zstdCodec := func(e *batch.Envelope) { e.Codec = "json+zstd" }
	columnar := func(e *batch.Envelope) { e.Codec = "columnar" }
	columns := batch.Columns(rs)

	for _, tt := range []struct {
		name  string
		frame []byte
		want  batch.Reason
	}{
		{"nothing", nil, batch.ReasonTruncated},
		{"a text", []byte(`{"device":"d"}`), batch.ReasonFormat},
		{"another version", append([]byte("\x8aKRB\x02"), frame[5:]...), batch.ReasonFormat},
		{"cut in the header", frame[:20], batch.ReasonTruncated},
		{"cut in the body", frame[:len(frame)-1], batch.ReasonTruncated},
		{"more than a frame", append(bytes.Clone(frame), 0), batch.ReasonFormat},
		{"a huge header", []byte("\x8aKRB\x01\xff\xff\x7f"), batch.ReasonFormat},
		{"another byte", flipped, batch.ReasonChecksum},
		{"a device without name", sealed(func(e *batch.Envelope) { e.Device = "" }, body), batch.ReasonFormat},
		{"no readings", sealed(func(e *batch.Envelope) { e.Count = 0 }, gzipOf(t, nil)), batch.ReasonFormat},
		{"the end before the beginning", sealed(func(e *batch.Envelope) { e.First, e.Last = last, first }, body), batch.ReasonFormat},
		{"a codec of tomorrow", sealed(func(e *batch.Envelope) { e.Codec = "columnar2" }, body), batch.ReasonCodec},
		{"a reading too few", sealed(same, gzipOf(t, lines(rs[:9]))), batch.ReasonCount},
		{"a reading too many", sealed(same, gzipOf(t, lines(append(mixed(10), rs[9])))), batch.ReasonCount},
		{"another device", sealed(same, gzipOf(t, lines(stranger))), batch.ReasonDevice},
		{"an earlier beginning", sealed(func(e *batch.Envelope) { e.First-- }, body), batch.ReasonTimes},
		{"a later end", sealed(func(e *batch.Envelope) { e.Last++ }, body), batch.ReasonTimes},
		{"a line that is no reading", sealed(same, gzipOf(t, []byte("{}\n"))), batch.ReasonReading},
		{"a line without end", sealed(same, gzipOf(t, bytes.TrimSuffix(lines(rs), []byte("\n")))), batch.ReasonBody},
		{"no gzip", sealed(same, lines(rs)), batch.ReasonBody},
		{"an empty body", sealed(same, nil), batch.ReasonBody},
		{"two gzip members", sealed(same, append(gzipOf(t, lines(rs[:5])), gzipOf(t, lines(rs[5:]))...)), batch.ReasonBody},
		{"cut gzip", sealed(same, body[:len(body)-5]), batch.ReasonBody},
		{"no zstd", sealed(zstdCodec, lines(rs)), batch.ReasonBody},
		{"a wide window", sealed(zstdCodec, zstdBody(make([]byte, 600<<10), zstd.WithWindowSize(512<<10), zstd.WithSingleSegment(false))), batch.ReasonLimits},
		{"an empty zstd frame behind", sealed(zstdCodec, append(zstdBody(lines(rs)), emptyFrame...)), batch.ReasonBody},
		{"a skippable zstd frame behind", sealed(zstdCodec, append(zstdBody(lines(rs)), skippableFrame...)), batch.ReasonBody},
		{"a skippable zstd frame before", sealed(zstdCodec, append(bytes.Clone(skippableFrame), zstdBody(lines(rs))...)), batch.ReasonBody},
		{"an empty zstd frame behind columns", sealed(columnar, append(append([]byte{1}, zstdBody(columns)...), emptyFrame...)), batch.ReasonBody},
		{"bytes behind zstd", sealed(zstdCodec, append(zstdBody(lines(rs)), 0)), batch.ReasonBody},
		{"cut zstd", sealed(zstdCodec, zstdBody(lines(rs))[:60]), batch.ReasonBody},
		{"a long text", sealed(same, gzipOf(t, lines(long))), batch.ReasonLimits},
		{"a long text in columns", sealed(columnar, append([]byte{0}, batch.Columns(long)...)), batch.ReasonLimits},
		{"no columns", sealed(columnar, []byte{2}), batch.ReasonBody},
		{"cut columns", sealed(columnar, append([]byte{0}, columns[:len(columns)-1]...)), batch.ReasonBody},
		{"more than columns", sealed(columnar, append(append([]byte{0}, columns...), 0)), batch.ReasonBody},
		{"columns without device", sealed(columnar, append([]byte{0}, batch.Columns([]reading.Reading{{Tag: "t"}})...)), batch.ReasonReading},
		{"columns without tag", sealed(columnar, append([]byte{0}, batch.Columns([]reading.Reading{{Device: "d"}})...)), batch.ReasonReading},
		{"columns with a broken name", sealed(columnar, append([]byte{0}, batch.Columns([]reading.Reading{{Device: "d", Tag: "\xff"}})...)), batch.ReasonReading},
		{"columns with a broken text", sealed(columnar, append([]byte{0}, batch.Columns([]reading.Reading{{Device: "d", Tag: "t", Value: reading.OfText("\xff")}})...)), batch.ReasonReading},
		{"too many columns", sealed(columnar, append([]byte{0}, batch.Columns(mixed(1001))...)), batch.ReasonLimits},
		{"too many lines", sealed(same, gzipOf(t, lines(mixed(1001)))), batch.ReasonLimits},
		{"too many readings", sealed(func(e *batch.Envelope) { e.Count = 1001 }, body), batch.ReasonLimits},
		{"zstd that does not say how long it is", sealed(zstdCodec, zstdBody(lines(rs[:1]), zstd.WithSingleSegment(false))), batch.ReasonBody},
	} {
		_, err := open(tt.frame, batch.Limits{MaxText: 1000, MaxReadings: 1000, MaxWindow: 256 << 10})
		if reason := wantCorrupt(t, err); reason != tt.want {
			t.Errorf("%s: %v, want the reason %s", tt.name, err, tt.want)
		}
	}
}

// TestAppendRefuses what could not be decoded again.
func TestAppendRefuses(t *testing.T) {
	good := reading.Reading{Device: "d", Tag: "t"}
	for _, tt := range []struct {
		name string
		rs   []reading.Reading
		want string
	}{
		{"nothing", nil, "no readings"},
		{"another device", []reading.Reading{good, {Device: "e", Tag: "t"}}, `reading 1 is of device "e"`},
		{"an invalid reading", []reading.Reading{good, {Device: "d"}}, "reading 1: tag is missing"},
	} {
		got, err := batch.Append([]byte("before"), batch.Columnar(), "d", 1, tt.rs)
		if err == nil || !strings.Contains(err.Error(), tt.want) || string(got) != "before" {
			t.Errorf("%s: %q, %v, want an error with %q", tt.name, got, err, tt.want)
		}
	}
}

func lines(rs []reading.Reading) []byte {
	var text []byte
	for i := range rs {
		text = append(rs[i].AppendJSON(text), '\n')
	}
	return text
}

func gzipOf(t testing.TB, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
