package reading_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
)

// TestRoundTrip reads back what was written, to the bit, and lets encoding/json
// agree that it is JSON.
func TestRoundTrip(t *testing.T) {
	var p reading.Parser
	rapid.Check(t, func(t *rapid.T) {
		want := readingtest.Readings().Draw(t, "reading")
		text := want.AppendJSON(nil)
		if !json.Valid(text) {
			t.Fatalf("%s is no JSON", text)
		}
		got, err := p.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got != want {
			t.Fatalf("%s became %+v, want %+v", text, got, want)
		}
	})
}

func TestJSON(t *testing.T) {
	at := time.Date(2026, 11, 21, 3, 4, 5, 120_000_000, time.UTC).UnixNano()
	for _, tt := range []struct {
		value reading.Value
		text  string
	}{
		{reading.OfFloat(21.5), "21.5"},
		{reading.OfFloat(2), "2.0"},
		{reading.OfFloat(1e21), "1e+21"},
		{reading.OfFloat(math.Copysign(0, -1)), "-0.0"},
		{reading.OfFloat(math.Float64frombits(0x7ff8_0000_0000_0001)), `{"float":"7ff8000000000001"}`},
		{reading.OfFloat(math.Inf(-1)), `{"float":"fff0000000000000"}`},
		{reading.OfInt(math.MinInt64), "-9223372036854775808"},
		{reading.OfInt(2), "2"},
		{reading.OfBool(true), "true"},
		{reading.OfBool(false), "false"},
		{reading.OfText("on \"\n"), `"on \"\u000a"`},
		{reading.OfText(""), `""`},
		{reading.Value{}, "null"},
	} {
		r := reading.Reading{Site: "plant1", Line: "line2", Device: "press7", Tag: "temperature", Time: at, Value: tt.value, Quality: "good", Seq: 12}
		want := `{"site":"plant1","line":"line2","device":"press7","tag":"temperature","ts":"2026-11-21T03:04:05.12Z","value":` + tt.text + `,"quality":"good","seq":12}`
		if got := string(r.AppendJSON(nil)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		var p reading.Parser
		if got, err := p.Parse([]byte(want)); err != nil || got != r {
			t.Errorf("%s became %+v, %v; want %+v", want, got, err, r)
		}
	}
}

func TestParseTakesAnyOrder(t *testing.T) {
	var p reading.Parser
	got, err := p.Parse([]byte(` { "seq" : 1, "value":-0,"quality":"", "tag":"\u0061", "device":"d","ts":"1969-12-31T23:59:59+00:00" } `))
	want := reading.Reading{Device: "d", Tag: "a", Time: -1e9, Value: reading.OfInt(0), Seq: 1}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// TestParseKeepsTexts: escapes are what they stand for, also those of U+FFFD and
// of what looks like half a pair.
func TestParseKeepsTexts(t *testing.T) {
	var p reading.Parser
	for text, want := range map[string]string{
		`\ud83d\ude00`:             "😀",
		`\uD83D\uDE00\uDBFF\uDFFF`: "😀\U0010ffff",
		`\ufffd\ud7ff\ue000`:       "\ufffd\ud7ff\ue000",
		`\\ud800\"\\\n`:            `\ud800"\` + "\n",
		"\ufffd":                   "\ufffd",
	} {
		r, err := p.Parse([]byte(`{"device":"d","tag":"t","ts":"2026-11-21T03:04:05Z","value":"` + text + `","quality":"good","seq":1}`))
		if err != nil || r.Value.Text() != want {
			t.Errorf("%s: %q, %v, want %q", text, r.Value.Text(), err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const good = `{"device":"d","tag":"t","ts":"2026-11-21T03:04:05Z","value":1,"quality":"good","seq":1}`
	var p reading.Parser
	if _, err := p.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{good, ``, "no JSON"},
		{good, `[]`, "no JSON"},
		{good, good + "x", "no JSON"},
		{`"device":"d",`, ``, "device is missing"},
		{`"value":1,`, ``, "value is missing"},
		{`"d"`, `""`, "device is missing"},
		{`"d"`, `7`, "device"},
		{`"d"`, `"` + strings.Repeat("x", 129) + `"`, "129 bytes"},
		{`"seq":1`, `"seq":-1`, "seq"},
		{`"seq":1`, `"seq":1.0`, "seq"},
		{`"seq":1`, `"seq":1,"seq":1`, "twice"},
		{`"seq":1`, `"seq":1,"unit":"K"`, `no member "unit"`},
		{`03:04:05Z`, `03:04:05`, "ts"},
		{`03:04:05Z`, `03:04:05.1234567891Z`, "ts"},
		{`03:04:05Z`, `03:04:05,1234567891Z`, "ts"},
		{`2026`, `2263`, "ts"},
		{`"value":1`, `"value":[1]`, "value"},
		{`"value":1`, `"value":1e999`, "value"},
		{`"value":1`, `"value":9223372036854775808`, "value"},
		{`"value":1`, `"value":"\ud800"`, `"value": \ud800 is half`},
		{`"value":1`, `"value":"\\\ud800\u0041"`, "value"},
		{`"value":1`, `"value":"\ud83d\ud83d\ude00"`, "value"},
		{`"value":1`, `"value":"\ude00\ud83d"`, "value"},
		{`"tag":"t"`, `"tag":"\udfff"`, "tag"},
		{`03:04:05Z`, `03:04:05Z\ud800`, "ts"},
		{`"value":1`, `"value":{}`, "value"},
		{`"value":1`, `"value":{"float":"7ff8"}`, "value"},
		{`"value":1`, `"value":{"float":"7ff800000000000x"}`, "value"},
		{`"value":1`, `"value":{"float":"7ff8000000000001","float":"7ff8000000000001"}`, "value"},
		{`"value":1`, `"value":{"bits":"7ff8000000000001"}`, "value"},
	} {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if _, err := p.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", text, err, tt.want)
		}
	}
}

func TestValidate(t *testing.T) {
	r := reading.Reading{Device: "d", Tag: "t"}
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	r = reading.Reading{Site: "\xff", Value: reading.OfText(strings.Repeat("x", reading.MaxText+1))}
	err := r.Validate()
	for _, want := range []string{"site", "device is missing", "tag is missing", "value has 1048577 bytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("validate: %v, want an error with %q", err, want)
		}
	}
}

// FuzzParse: what is read is written and read again as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"device":"d","tag":"t","ts":"2026-11-21T03:04:05Z","value":{"float":"7ff8000000000001"},"quality":"good","seq":1}`))
	var p reading.Parser
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := p.Parse(payload)
		if err != nil {
			return
		}
		if again, err := p.Parse(r.AppendJSON(nil)); err != nil || again != r {
			t.Fatalf("%s: %+v became %+v, %v", payload, r, again, err)
		}
	})
}

func benchmarkReading() reading.Reading {
	return reading.Reading{Site: "plant1", Line: "line2", Device: "device0007", Tag: "temperature", Time: 1_795_230_245_123_000_000, Value: reading.OfFloat(21.37), Quality: "good", Seq: 123456}
}

func BenchmarkAppendJSON(b *testing.B) {
	r := benchmarkReading()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = r.AppendJSON(buf[:0])
	}
}

func BenchmarkParse(b *testing.B) {
	r := benchmarkReading()
	text := r.AppendJSON(nil)
	var p reading.Parser
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
