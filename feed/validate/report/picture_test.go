package report

import (
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestPaths(t *testing.T) {
	missing, matched := uint8(badness(validate.Missing)+1), uint8(badness(validate.Matched)+1)
	for want, cells := range map[markup][]uint8{
		"":                              {0, 0},
		`<path class="vM" d="M0 8h2"/>`: {missing, missing},
		`<path class="vK" d="M1 8h1m2 0h2"/><path class="vM" d="M0 8h1m1 0h1"/>`: {missing, matched, missing, 0, matched, matched},
	} {
		if got := paths(cells); got != want {
			t.Errorf("%v: %s, want %s", cells, got, want)
		}
	}
}

func TestPictureMergesParts(t *testing.T) {
	r := &validate.Result{From: sampleStart, To: sampleStart.Add(450*time.Minute + time.Second), Step: time.Minute}
	d := validate.Device{Device: "press7"}
	for i := range 451 {
		d.Parts = append(d.Parts, validate.Part{Index: i, Verdict: validate.Matched})
		r.Throughput = append(r.Throughput, validate.Rate{At: r.From.Add(time.Duration(i) * time.Minute), Expected: 2, Observed: 1})
	}
	d.Parts[4].Verdict = validate.Missing
	d.Parts[5].Verdict = validate.Late
	r.Devices = []validate.Device{d}
	c, err := newPicture(r)
	if err != nil {
		t.Fatal(err)
	}
	if c.columns != 151 || c.step != 3*time.Minute {
		t.Errorf("%d columns of %v", c.columns, c.step)
	}
	if got, want := c.lines[0].cells[1], uint8(badness(validate.Missing)+1); got != want {
		t.Errorf("the column of a missing and a late part is %d, want %d", got, want)
	}
	if c.rates[0] != (rate{6, 3}) || c.rates[150] != (rate{2, 1}) {
		t.Errorf("rates %v … %v", c.rates[0], c.rates[150])
	}
}

func TestPictureRefusesPartsOutside(t *testing.T) {
	for want, change := range map[string]func(r *validate.Result){
		"device \"press07\" has part 12 of 12":     func(r *validate.Result) { r.Devices[0].Parts[0].Index = 12 },
		"device \"press09\" has part -1 of 12":     func(r *validate.Result) { r.Devices[2].Parts[0].Index = -1 },
		"the throughput of 2026-11-19 23:59:59Z":   func(r *validate.Result) { r.Throughput[0].At = r.From.Add(-time.Second) },
		"the throughput of 2026-11-21 00:00:00Z":   func(r *validate.Result) { r.Throughput[0].At = r.To },
		"its step is 0s: it must be more than 0":   func(r *validate.Result) { r.Step = 0 },
		"its step is -1ns: it must be more than 0": func(r *validate.Result) { r.Step, r.Throughput = -1, nil },
		"has part 5 of 0":                          func(r *validate.Result) { r.To, r.Devices[0].Parts[0].Index = r.From, 5 },
	} {
		r := sample(3, 12, 5)
		change(r)
		var b strings.Builder
		if err := WriteHTML(&b, r); err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("%v, want %s; %d bytes were written", err, want, b.Len())
		}
	}
}

// TestVerdictsLookDifferent sees that verdicts differ without their colours.
func TestVerdictsLookDifferent(t *testing.T) {
	drawn := map[string]bool{}
	for _, word := range strings.Fields(string(marks)) {
		drawn[word] = true
	}
	letters, words := map[string]bool{}, map[string]bool{}
	for i, v := range validate.Verdicts {
		l, known := looks[v]
		if !known || letters[l.letter] || words[l.word] {
			t.Errorf("%s is shown as %q %q, as another one is", v, l.letter, l.word)
		}
		letters[l.letter], words[l.word] = true, true
		if badness(v) != i {
			t.Errorf("%s: badness %d, want %d", v, badness(v), i)
		}
		if !strings.Contains(style, "path.v"+l.letter+" {") || !strings.Contains(style, "#only"+l.letter+":checked") {
			t.Errorf("the style does not know %s", v)
		}
		if solid := v == validate.Missing || v == validate.Matched; !solid && !drawn[`id="m`+l.letter+`"`] {
			t.Errorf("%s has no mark", v)
		}
	}
}

func TestTicks(t *testing.T) {
	for length, want := range map[time.Duration]string{
		30 * time.Second: "20 Nov 00:00:05 00:00:10 00:00:15 00:00:20 00:00:25",
		2 * time.Hour:    "20 Nov 00:30 01:00 01:30",
		24 * time.Hour:   "20 Nov 06:00 12:00 18:00",
		7 * day:          "21 Nov 23 Nov 25 Nov",
		10 * 365 * day:   "",
		200 * 365 * day:  "",
	} {
		ts := ticks(sampleStart, length)
		var labels []string
		for _, tick := range ts {
			if tick.at < 0 || tick.at >= 1 {
				t.Errorf("%v: a tick at %v", length, tick.at)
			}
			labels = append(labels, tick.label)
		}
		if got := strings.Join(labels, " "); want != "" && got != want {
			t.Errorf("%v: %s, want %s", length, got, want)
		}
		if len(ts) < 2 || len(ts) > 2*mostTicks {
			t.Errorf("%v: %d ticks", length, len(ts))
		}
	}
}
