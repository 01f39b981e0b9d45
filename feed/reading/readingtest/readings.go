// Package readingtest draws readings, for property tests of codecs and stages.
package readingtest

import (
	"math"
	"strings"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Readings draws valid readings: few names, and values of all kinds, with what
// codecs get wrong (NaN with bits, −0, empty texts) more often than chance has it.
func Readings() *rapid.Generator[reading.Reading] {
	return rapid.Custom(func(t *rapid.T) reading.Reading {
		return reading.Reading{
			Site:    name(0).Draw(t, "site"),
			Line:    name(0).Draw(t, "line"),
			Device:  name(1).Draw(t, "device"),
			Tag:     name(1).Draw(t, "tag"),
			Time:    rapid.OneOf(rapid.Int64(), rapid.Int64Range(1_795_000_000e9, 1_795_000_001e9)).Draw(t, "time"),
			Value:   Values().Draw(t, "value"),
			Quality: rapid.SampledFrom([]string{"good", "uncertain", "bad", ""}).Draw(t, "quality"),
			Seq:     rapid.Uint64().Draw(t, "seq"),
		}
	})
}

func name(least int) *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"plant1", "line 2", "press.7", "temperature", "ü/#+"}),
		rapid.Map(rapid.StringN(least, 20, 60), func(s string) string { return strings.ToValidUTF8(s, "?") }),
	)
}

// Values draws values of all kinds.
func Values() *rapid.Generator[reading.Value] {
	return rapid.OneOf(
		rapid.Just(reading.Value{}),
		rapid.Map(rapid.Float64(), reading.OfFloat),
		rapid.Map(rapid.Uint64(), func(bits uint64) reading.Value { return reading.OfFloat(math.Float64frombits(bits)) }),
		rapid.Map(rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, math.MaxFloat64, 5e-324}), reading.OfFloat),
		rapid.Map(rapid.Int64(), reading.OfInt),
		rapid.Map(rapid.Bool(), reading.OfBool),
		rapid.Map(rapid.String(), func(s string) reading.Value { return reading.OfText(strings.ToValidUTF8(s, "?")) }),
	)
}
