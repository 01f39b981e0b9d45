package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestDifference(t *testing.T) {
	for _, c := range []struct{ text, other, want string }{
		{`"ab"`, `"ac"`, `"a[b]"`},
		{`"ab"`, `"abc"`, `"ab[]"`},
		{`"aXa"`, `"aa"`, `"a[X]a"`},
		{`"é"`, `"è"`, `"[é]"`},
		{`"same"`, `"same"`, `["same"]`},
		{`21.5`, `21.6`, `[21.5]`},
		{`"21.5"`, `21.5`, `["21.5"]`},
		{"\"\xc3\"", "\"\xc3\xa9\"", "\"[\xc3]\""},
	} {
		before, differs, after := difference(c.text, c.other)
		if got := before + "[" + differs + "]" + after; got != c.want {
			t.Errorf("%q beside %q: %q, want %q", c.text, c.other, got, c.want)
		}
	}
}

func TestDifferenceKeepsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, other := `"`+rapid.String().Draw(t, "text"), `"`+rapid.String().Draw(t, "other")
		before, differs, after := difference(text, other)
		if before+differs+after != text || !utf8.ValidString(before) || !utf8.ValidString(after) {
			t.Fatalf("%q beside %q: %q %q %q", text, other, before, differs, after)
		}
		if text != other && (!strings.HasPrefix(other, before) || !strings.HasSuffix(other, after)) {
			t.Fatalf("%q and %q are not in %q", before, after, other)
		}
	})
}

func TestBarsLoseNothing(t *testing.T) {
	for n := range 100 {
		var buckets []validate.Bucket
		for i := range n {
			buckets = append(buckets, validate.Bucket{UpTo: 1 << i, Count: int64(i + 1)})
		}
		got, sum := bars(buckets), int64(0)
		for _, b := range got {
			sum += b.Count
		}
		if len(got) > mostBars || sum != int64(n*(n+1)/2) || n > 0 && got[len(got)-1].UpTo != buckets[n-1].UpTo {
			t.Errorf("%d buckets: %v", n, got)
		}
	}
}

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"press7":        "press7",
		"Säge 東京":       "Säge 東京",
		"a\x00b\n":      `a\x00b\n`,
		"\u202egnp.exe": `\u202egnp.exe`,
		"a\u00a0b":      `a\u00a0b`,
		"\u3164":        `\u3164`,
		"\xff":          `\xff`,
		"\U000e0041":    `\U000e0041`,
		"\ufffd":        "\ufffd",
		"12345678901":   "1234567890…",
		"1234567890":    "1234567890",
	} {
		if got := visible(text, 10); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestHeadline(t *testing.T) {
	for want, c := range map[string]validate.Counts{
		"1 reading is missing":                                 {Missing: 1, Duplicate: 5, Observed: 6},
		"1,234 readings are missing: nothing at all was found": {Missing: 1234, Expected: 1234},
		"2 readings are altered, 1 extra":                      {Altered: 2, Extra: 1},
		"5 readings are duplicate, 1 out of order":             {Duplicate: 5, OutOfOrder: 1},
		"Something is wrong":                                   {Undecided: 4},
	} {
		if got := headline(&validate.Result{Outcome: validate.Discrepant, Counts: c}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestSummary: a part of all is said only when all is decided, and what waits is not
// called different.
func TestSummary(t *testing.T) {
	const open = "Nothing is known to be wrong, and it is not proven that nothing is. "
	for want, r := range map[string]*validate.Result{
		open + "The expectation has 4,776 readings. 4,776 wait for the watermark.":                                                                     {Outcome: validate.Open, Counts: validate.Counts{Expected: 4776, Undecided: 4776}, Waiting: 4776},
		open + "The expectation has 4,776 readings; 4,775 were read at the observation and say the same. 1 waits for the watermark.":                   {Outcome: validate.Open, Counts: validate.Counts{Expected: 4776, Matched: 4775, Undecided: 1}, Waiting: 1},
		open + "The expectation has 10 readings; 1 was read at the observation and says the same. 2 wait for the watermark. Of 7 nothing can be said.": {Outcome: validate.Open, Counts: validate.Counts{Expected: 10, Matched: 1, Undecided: 9}, Waiting: 2},
		"The expectation has 12 readings, 2 of them told again; 9 were read at the observation and say the same (90%).":                                {Outcome: validate.Discrepant, Counts: validate.Counts{Expected: 12, Repeated: 2, Matched: 9, Missing: 1}},
		"The expectation has 1 reading; each was read at the observation and says the same.":                                                           {Outcome: validate.Proven, Counts: validate.Counts{Expected: 1, Observed: 1, Matched: 1}},
	} {
		if got := summary(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNothing: a copy was expected once, and what cannot be read may be anything.
func TestNothing(t *testing.T) {
	for verdict, want := range map[validate.Verdict]string{
		validate.Missing: "<em>nothing</em>", validate.Extra: "<em>nothing</em>", validate.Duplicate: "<em>nothing more</em>", validate.Undecided: "<em>not known</em>",
	} {
		r := sample(1, 1, 0)
		said := &validate.Said{Text: "7"}
		r.Discrepancies = []validate.Discrepancy{{Verdict: verdict, Device: "press7", Observed: said}}
		if verdict == validate.Missing || verdict == validate.Undecided {
			r.Discrepancies[0].Expected, r.Discrepancies[0].Observed = said, nil
		}
		if page := htmlOf(t, r); strings.Count(page, "<em>") != 1 || !strings.Contains(page, want) {
			t.Errorf("%s: the page lacks %s", verdict, want)
		}
	}
}
