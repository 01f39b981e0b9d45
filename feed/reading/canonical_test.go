package reading

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// agree checks that what canonical reads is read as the same the other way.
func agree(t interface {
	Helper()
	Fatalf(string, ...any)
}, p, other *Parser, text []byte) (read bool) {
	t.Helper()
	if !p.canonical(text) {
		return false
	}
	got := p.r
	if want, err := other.parse(text); err != nil || got != want {
		t.Fatalf("%s is read as %+v, as JSON of any form it is %+v, %v", text, got, want, err)
	}
	return true
}

// TestCanonicalAgrees changes what was written at one place: whatever then is
// still read is read as the same.
func TestCanonicalAgrees(t *testing.T) {
	var p, other Parser
	rapid.Check(t, func(t *rapid.T) {
		r := Reading{
			Site: rapid.SampledFrom([]string{"", "plant1", "ü"}).Draw(t, "site"), Line: rapid.SampledFrom([]string{"", "line2"}).Draw(t, "line"),
			Device: "press7", Tag: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "tag"),
			Time: rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 1e18)).Draw(t, "time"), Quality: "good", Seq: rapid.Uint64().Draw(t, "seq"),
			Value: rapid.OneOf(
				rapid.Just(Value{}),
				rapid.Map(rapid.Bool(), OfBool),
				rapid.Map(rapid.Int64(), OfInt),
				rapid.Map(rapid.Float64(), OfFloat),
				rapid.Map(rapid.Float64Range(-1e6, 1e6), func(f float64) Value { return OfFloat(math.Round(f*100) / 100) }),
				rapid.Map(rapid.SampledFrom([]string{"", "on", "ü"}), OfText),
			).Draw(t, "value"),
		}
		text := r.AppendJSON(nil)
		agree(t, &p, &other, text)
		if rapid.Bool().Draw(t, "changed") {
			text[rapid.IntRange(0, len(text)-1).Draw(t, "place")] = rapid.SampledFrom([]byte(`0123456789-+.,:eEZTt"{}\n `+"\xff\x01")).Draw(t, "byte")
			agree(t, &p, &other, text)
		}
	})
}

// TestCanonicalReads what devices send, and so is not idle.
func TestCanonicalReads(t *testing.T) {
	var p, other Parser
	for _, v := range []Value{{}, OfFloat(21.37), OfFloat(-0.25), OfFloat(math.Copysign(0, -1)), OfFloat(0.1234567890123456), OfInt(-7), OfBool(true), OfBool(false), OfText("on")} {
		for _, site := range []string{"", "plant1"} {
			for _, line := range []string{"", "line2"} {
				r := Reading{Site: site, Line: line, Device: "press7", Tag: "t", Time: 1_795_230_245_123_000_000, Value: v, Quality: "good", Seq: 12}
				if text := r.AppendJSON(nil); !agree(t, &p, &other, text) {
					t.Errorf("%s is not read", text)
				}
			}
		}
	}
}

// TestCanonicalLeaves what is no JSON, or reads it as the same.
func TestCanonicalLeaves(t *testing.T) {
	var p, other Parser
	for _, value := range []string{
		"01", "-01", "00", "-", "-0", "0.", ".5", "+1", "1e5", "1E5", "1.5e3", "0.0e", "1.e1", "00.5", "-00.5", "1.50", "9007199254740993.0", "0.30000000000000004",
		"1234567890123456789", "12345678901234567890", "123456789012345.5", "123456789012345678.5", "0.123456789012345678901", "nul", "nulll", "tru", "\"", "\"a", `"\u0041"`, "\"\x01\"", "\"\xff\"", "[]", "{}", "",
	} {
		agree(t, &p, &other, []byte(`{"device":"d","tag":"t","ts":"2026-11-21T03:04:05Z","value":`+value+`,"quality":"good","seq":1}`))
	}
	for _, seq := range []string{"01", "00", "0", "", "-1", "1.0", "1e1", "18446744073709551615", "18446744073709551616"} {
		agree(t, &p, &other, []byte(`{"device":"d","tag":"t","ts":"2026-11-21T03:04:05Z","value":1,"quality":"good","seq":`+seq+`}`))
	}
	for _, device := range []string{"", strings.Repeat("x", MaxName), strings.Repeat("x", MaxName+1), "\xff", "a\x00", "é"} {
		for range 2 { // once it is new, once the same as before
			agree(t, &p, &other, []byte(`{"device":"`+device+`","tag":"t","ts":"2026-11-21T03:04:05Z","value":1,"quality":"good","seq":1}`))
		}
	}
}

// TestTimes reads each day that there is, and none that there is not.
func TestTimes(t *testing.T) {
	check := func(nanos int64) {
		t.Helper()
		text := appendTime(nil, nanos)
		c := canonical{text}
		var got int64
		year := time.Unix(0, nanos).UTC().Year()
		if read := c.time(&got); read != (minYear <= year && year <= maxYear) || read && (got != nanos || len(c.b) > 0) {
			t.Fatalf("%s is read as %d, %v, want %d", text, got, read, nanos)
		}
	}
	for _, nanos := range []int64{0, -1, 1, math.MinInt64, math.MaxInt64} {
		check(nanos)
	}
	for at := time.Unix(0, math.MinInt64); at.Year() <= maxYear; at = at.Add(24*time.Hour - 1) {
		check(at.UnixNano()) // each day
	}
	for _, none := range []string{"2026-02-29", "1900-02-29", "2026-04-31", "2026-00-01", "2026-13-01", "2026-01-00", "1677-01-01", "2262-01-01"} {
		c := canonical{[]byte(none + "T00:00:00Z")}
		var got int64
		if c.time(&got) {
			t.Errorf("%s is read as %d", none, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(rapid.Int64().Draw(t, "nanos")) })
}

func FuzzCanonical(f *testing.F) {
	r := Reading{Site: "plant1", Device: "d", Tag: "t", Time: 1_795_230_245_123_000_000, Value: OfFloat(-21.37), Quality: "good", Seq: 12}
	f.Add(r.AppendJSON(nil))
	f.Add([]byte(`{"device":"d","tag":"t","ts":"2026-02-29T03:04:05Z","value":"on","quality":"good","seq":1}`))
	var p, other Parser
	f.Fuzz(func(t *testing.T, text []byte) { agree(t, &p, &other, text) })
}
