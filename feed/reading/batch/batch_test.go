package batch_test

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
)

// TestCodecsRoundTrip gives back any readings, to the bit and in order, behind
// what was there.
func TestCodecsRoundTrip(t *testing.T) {
	for _, codec := range batch.All() {
		t.Run(codec.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				want := rapid.OneOf(rapid.SliceOfN(readingtest.Readings(), 0, 40), series()).Draw(t, "readings")
				body, err := codec.Append([]byte("before"), want)
				if err != nil {
					t.Fatal(err)
				}
				text, found := strings.CutPrefix(string(body), "before")
				if !found {
					t.Fatal("what was there is gone")
				}
				first := reading.Reading{Device: "before"}
				got, err := codec.Decode([]reading.Reading{first}, []byte(text), batch.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if got[0] != first || !slices.Equal(got[1:], want) {
					t.Fatalf("got %+v, want %+v", got[1:], want)
				}
			})
		})
	}
}

// TestFrameRoundTrip does so with whole frames.
func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codec := rapid.SampledFrom(batch.All()).Draw(t, "codec")
		sequence := rapid.Uint64().Draw(t, "sequence")
		want := rapid.OneOf(rapid.SliceOfN(readingtest.Readings(), 1, 20), series()).Draw(t, "readings")
		first, last := int64(math.MaxInt64), int64(math.MinInt64)
		for i := range want {
			want[i].Device = want[0].Device
			first, last = min(first, want[i].Time), max(last, want[i].Time)
		}
		frame, err := batch.Append([]byte("before"), codec, want[0].Device, sequence, want)
		if err != nil {
			t.Fatal(err)
		}
		b, err := batch.Parse(frame[len("before"):], batch.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if e := (batch.Envelope{Device: want[0].Device, Sequence: sequence, Codec: codec.Name(), Count: len(want), First: first, Last: last, Checksum: b.Checksum}); b.Envelope != e {
			t.Fatalf("got %+v, want %+v", b.Envelope, e)
		}
		got, err := b.Decode(batch.All(), nil, batch.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// TestAwkwardFloats: some are decimals and some are not, some only with few digits.
func TestAwkwardFloats(t *testing.T) {
	for _, kinds := range [][]float64{
		{1e15, 0.25}, {1e15, 1e15, 1e15, 0.001}, {math.NaN(), 1.5}, {math.Copysign(0, -1), 0, 1}, {1.0 / 3, 2},
		{0.1 + 0.2, 0.3}, {1e-12, 1}, {1e300, 1e-300}, {1 << 53, 1<<53 - 1, 1<<53 + 2}, {math.Inf(1), 1}, {5e-324},
	} {
		for _, n := range []int{1, 15, 16, 17, 33, 100} {
			for often := 1; often <= 20; often += 19 {
				want := make([]reading.Reading, n)
				for i := range want {
					kind := len(kinds) - 1
					if i%often == 0 {
						kind = i / often % len(kinds)
					}
					want[i] = reading.Reading{Device: "d", Tag: "t", Value: reading.OfFloat(kinds[kind])}
				}
				body, err := batch.Columnar().Append(nil, want)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := batch.Columnar().Decode(nil, body, batch.Limits{}); err != nil || !slices.Equal(got, want) {
					t.Errorf("%d of %v, often %d: %v", n, kinds, often, err)
				}
			}
		}
	}
}

// TestLargeBatch: as many readings as are allowed get through each codec.
func TestLargeBatch(t *testing.T) {
	want := decimals(100_000)
	for _, c := range batch.All() {
		got, err := open(frameOf(t, c, want), batch.Limits{})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d readings, %v", c.Name(), len(got), err)
		}
	}
}

// TestConcurrentUse: codecs keep memory to use it again, and share none of it.
func TestConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range 4 {
		wg.Go(func() {
			for round := range 20 {
				want := signals[(i+round)%len(signals)].make(50 + 37*i)
				for _, c := range batch.All() {
					body, err := c.Append(nil, want)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := c.Decode(nil, body, batch.Limits{}); err != nil || !slices.Equal(got, want) {
						t.Errorf("%s: another sees what is not its own: %v", c.Name(), err)
						return
					}
				}
			}
		})
	}
}

// series draws what a device sends: few tags in turn, times and values that
// follow on each other, seq that may wrap.
func series() *rapid.Generator[[]reading.Reading] {
	return rapid.Custom(func(t *rapid.T) []reading.Reading {
		tags := rapid.IntRange(1, 5).Draw(t, "tags")
		n := rapid.IntRange(1, 200).Draw(t, "n")
		at := rapid.Int64().Draw(t, "start")
		step := rapid.SampledFrom([]int64{0, 1, 1e3, 1e6, 1e9}).Draw(t, "step")
		jitter := rapid.Int64Range(0, 3).Draw(t, "jitter")
		seq := rapid.Uint64().Draw(t, "seq")
		decimals := rapid.IntRange(0, 4).Draw(t, "decimals")
		scale := rapid.SampledFrom([]float64{1, 1, 1e6, 1e15}).Draw(t, "scale")
		inTurn := rapid.Bool().Draw(t, "inTurn")
		random := rapid.Uint64().Draw(t, "random")
		rs := make([]reading.Reading, n)
		for i := range rs {
			random = random*6364136223846793005 + 1442695040888963407
			value := reading.OfFloat(math.Round(float64(random>>40)*math.Pow10(decimals)/1e5) / math.Pow10(decimals))
			if random>>20&3 == 0 {
				value = reading.OfFloat(math.Round(value.Float()) * scale)
			}
			quality, tag := "good", i%tags
			if !inTurn {
				tag = int(random>>56) % tags
			}
			switch {
			case random>>32&31 == 0:
				value, quality = reading.Value{}, "bad"
			case random>>32&31 == 1:
				value = reading.OfFloat(math.Float64frombits(random))
			case tag == 1:
				value = reading.OfInt(int64(random >> (random & 63)))
			case tag == 2:
				value = reading.OfBool(random>>63 == 1)
			case tag == 3:
				value = reading.OfText(string(rune('a' + random>>62)))
			}
			rs[i] = reading.Reading{
				Site: "plant1", Line: "line2", Device: "press7", Tag: string(rune('a' + tag)),
				Time: at, Value: value, Quality: quality, Seq: seq + uint64(i),
			}
			if i%tags == tags-1 {
				at += step + int64(random>>60)*jitter // may wrap
			}
		}
		return rs
	})
}
