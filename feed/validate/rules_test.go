package validate

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
)

func rulesOf(t testing.TB, change func(*Options)) *rules {
	t.Helper()
	o := DefaultOptions()
	change(&o)
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	r, _, err := makeRules(o, Traits{}, Traits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	canonical = func(*Options) {}
	typed     = func(o *Options) { o.Rules.Numbers = NumbersTyped }
	nfc       = func(o *Options) { o.Rules.Strings = StringsNFC }
	trimmed   = func(o *Options) { o.Rules.Strings = StringsTrimmed }
	absolute  = func(o *Options) { o.Rules.Tolerance.Absolute = .5 }
	relative  = func(o *Options) { o.Rules.Tolerance.Relative = .01 }
)

func TestValues(t *testing.T) {
	f, i, s := reading.OfFloat, reading.OfInt, reading.OfText
	nan := func(bits uint64) reading.Value { return f(math.Float64frombits(bits)) }
	for _, tt := range []struct {
		name  string
		rules func(*Options)
		a, b  reading.Value
		same  bool
	}{
		{"1 and 1.0", canonical, i(1), f(1), true},
		{"1 and 1.0, typed", typed, i(1), f(1), false},
		{"0 and -0", canonical, f(0), f(math.Copysign(0, -1)), true},
		{"0 and -0, typed", typed, f(0), f(math.Copysign(0, -1)), false},
		{"0 as integer and -0", canonical, i(0), f(math.Copysign(0, -1)), true},
		{"two NaN", canonical, nan(0x7ff8000000000001), nan(0xfff8000000000002), true},
		{"two NaN, typed", typed, nan(0x7ff8000000000001), nan(0xfff8000000000002), false},
		{"NaN and 0", canonical, f(math.NaN()), i(0), false},
		{"infinities", canonical, f(math.Inf(1)), f(math.Inf(-1)), false},
		{"an integer that a float cannot hold", canonical, i(1<<53 + 1), f(1 << 53), false},
		{"one that it can", canonical, i(1 << 60), f(1 << 60), true},
		{"the least integer", canonical, i(math.MinInt64), f(-1 << 63), true},
		{"the greatest integer", canonical, i(math.MaxInt64), f(1 << 63), false},
		{"one ulp", canonical, f(21.5), f(math.Nextafter(21.5, 22)), false},
		{"none and 0", canonical, reading.Value{}, i(0), false},
		{"false and 0", canonical, reading.OfBool(false), i(0), false},
		{"true and false", canonical, reading.OfBool(true), reading.OfBool(false), false},
		{"a text and a number", canonical, s("1"), i(1), false},
		{"an empty text and none", canonical, s(""), reading.Value{}, false},
		{"composed", canonical, s("ü"), s("u\u0308"), false},
		{"composed, nfc", nfc, s("ü"), s("u\u0308"), true},
		{"white space, nfc", nfc, s("on"), s(" on\n"), false},
		{"white space, trimmed", trimmed, s("on"), s(" on\n"), true},
		{"within absolute", absolute, f(21.5), f(22), true},
		{"beyond absolute", absolute, f(21.5), f(math.Nextafter(22, 23)), false},
		{"a float and an integer within absolute", absolute, f(21.5), i(22), true},
		{"integers within absolute", absolute, i(21), i(21), true},
		{"integers beyond", absolute, i(21), i(22), false},
		{"typed within absolute", func(o *Options) { typed(o); absolute(o) }, f(21.5), f(22), true},
		{"typed, of two types", func(o *Options) { typed(o); absolute(o) }, f(22), i(22), false},
		{"within relative", relative, f(-100), f(-99), true},
		{"beyond relative", relative, f(-100), f(-98.9), false},
		{"opposite signs", relative, f(1e-300), f(-1e-300), false},
		{"infinite and large", relative, f(math.Inf(1)), f(math.MaxFloat64), false},
		{"NaN, tolerated", absolute, f(math.NaN()), f(1), false},
	} {
		r := rulesOf(t, tt.rules)
		for range 2 {
			if got := r.sameValue(tt.a, tt.b); got != tt.same {
				t.Errorf("%s: %v", tt.name, got)
			}
			tt.a, tt.b = tt.b, tt.a
		}
	}
}

// readings draws readings that are often nearly the same.
func readings() *rapid.Generator[reading.Reading] {
	text := rapid.SampledFrom([]string{"", "a", "b", " a", "ü", "u\u0308", "ab", "a\x01b"})
	value := rapid.Custom(func(t *rapid.T) reading.Value {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return reading.OfFloat(rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, 2.5, math.NaN(), math.Inf(1), 1 << 53, math.Nextafter(1, 2)}).Draw(t, "float"))
		case 1:
			return reading.OfInt(rapid.SampledFrom([]int64{0, 1, 1 << 53, 1<<53 + 1, math.MinInt64}).Draw(t, "int"))
		case 2:
			return reading.OfBool(rapid.Bool().Draw(t, "bool"))
		case 3:
			return reading.OfText(text.Draw(t, "text"))
		}
		return reading.Value{}
	})
	return rapid.Custom(func(t *rapid.T) reading.Reading {
		return reading.Reading{
			Site: text.Draw(t, "site"), Line: text.Draw(t, "line"), Device: "d", Tag: "t", Quality: text.Draw(t, "quality"),
			Time: rapid.SampledFrom([]int64{-1001, -1000, -1, 0, 1, 999, 1000}).Draw(t, "time"), Seq: rapid.Uint64Range(0, 2).Draw(t, "seq"), Value: value.Draw(t, "value"),
		}
	})
}

// TestFormsAreEqualWhereNothingDiffers: digests and the comparison one by one mean the
// same, as long as nothing is tolerated.
func TestFormsAreEqualWhereNothingDiffers(t *testing.T) {
	var all []*rules
	for _, change := range []func(*Options){
		canonical, typed, nfc, trimmed,
		func(o *Options) { o.Rules.Time = time.Microsecond },
		func(o *Options) { o.Rules.Ignore = []Field{FieldSite, FieldQuality} },
		func(o *Options) { o.Rules.Ignore = []Field{FieldLine, FieldSeq}; typed(o) },
	} {
		all = append(all, rulesOf(t, change))
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := readings().Draw(t, "a"), readings().Draw(t, "b")
		if rapid.Bool().Draw(t, "near") { // only the value differs, if at all
			v := b.Value
			b = a
			b.Value = v
		}
		for i, r := range all {
			differs := r.differences(&a, &b)
			if r.seq && a.Seq != b.Seq {
				differs = append(differs, "seq")
			}
			if equal := string(r.append(nil, &a)) == string(r.append(nil, &b)); equal != (len(differs) == 0) {
				t.Fatalf("rules %d: forms are equal: %v; %q differ", i, equal, differs)
			}
		}
	})
}

func TestTimesAreRoundedDown(t *testing.T) {
	r := rulesOf(t, func(o *Options) { o.Rules.Time = time.Microsecond })
	for nanos, want := range map[int64]int64{0: 0, 999: 0, 1000: 1000, -1: -1000, -1000: -1000, -1001: -2000} {
		if got := r.time(nanos); got != want {
			t.Errorf("%d becomes %d, want %d", nanos, got, want)
		}
	}
}

// TestTraitsBecomeRules: what a side cannot tell is not compared, and that is said.
func TestTraitsBecomeRules(t *testing.T) {
	o := DefaultOptions()
	o.Rules.Time = 10 * time.Nanosecond
	r, blind, err := makeRules(o, Traits{TimeStep: time.Millisecond}, Traits{TimeStep: time.Microsecond, Lost: []string{"line", "seq"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.step != int64(time.Millisecond) || !r.site || r.line || r.seq || !r.quality {
		t.Errorf("rules %+v", r)
	}
	if want := []string{
		"The expectation keeps times to 1ms: what is finer is not compared.",
		"The observation does not keep line: it is not compared.",
		"The observation does not keep seq: it is not compared.",
		"The observation keeps times to 1µs: what is finer is not compared.",
	}; !slices.Equal(blind, want) {
		t.Errorf("%q", blind)
	}
	for _, traits := range []Traits{{TimeStep: 7 * time.Microsecond}, {TimeStep: 2 * time.Hour}, {Lost: []string{"value"}}} {
		if _, _, err := makeRules(o, Traits{}, traits); err == nil {
			t.Errorf("%+v is no error", traits)
		}
	}
	sentences := strings.Join(r.sentences(o), "\n")
	for _, says := range []string{"A window is 1h0m0s", "known by device, tag and time.", "rounded down to 1ms", "-0", "byte by byte", "Verdict duplicate is tolerated", "out of order"} {
		if !strings.Contains(sentences, says) {
			t.Errorf("%q is not said in\n%s", says, sentences)
		}
	}
}
