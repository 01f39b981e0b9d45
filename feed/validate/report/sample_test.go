package report

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// sampleStart is where the time of samples begins.
var sampleStart = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// sample returns what a validation of a day of a factory may find: outages of some
// devices, values that differ, copies, and a last hour of which nothing can be said.
func sample(devices, parts, listed int) *validate.Result {
	g := &generator{rand.New(rand.NewPCG(7, 11)), &validate.Result{
		Outcome:   validate.Discrepant,
		From:      sampleStart,
		To:        sampleStart.Add(24 * time.Hour),
		Started:   sampleStart.Add(24*time.Hour + 5*time.Minute),
		Finished:  sampleStart.Add(24*time.Hour + 5*time.Minute + 41_200*time.Millisecond),
		Watermark: sampleStart.Add(23*time.Hour + 10*time.Minute),
		Rules: []string{
			"Windows of 1 h are judged 10 min after they have ended, by the watermark of the expectation.",
			"Numbers: 1, 1.0 and 1e0 are the same; floats may differ by 1e-9 of the larger one.",
			"Times are compared to the microsecond, which is what the observation holds.",
			"Texts are compared byte by byte.",
			"Tolerated: duplicate, late, out of order.",
		},
		Verdicts: map[validate.Verdict]int64{},
	}}
	r := g.r
	r.Step = r.To.Sub(r.From) / time.Duration(max(parts, 1))
	for i := range devices {
		g.device(i, devices, parts)
	}
	g.throughput(parts)
	g.lists(devices, listed)
	r.Waiting = r.Counts.Undecided
	r.Reasons = []string{
		count(r.Counts.Missing) + " expected readings are missing.",
		fmt.Sprintf("%d readings are altered.", r.Counts.Altered),
		fmt.Sprintf("%d readings were observed and not expected.", r.Counts.Extra),
		"The expectation's watermark is at 2026-11-20T23:10:00Z: the time from 2026-11-20T23:00:00Z on waits for it to pass the end of a window by 10m0s.",
		fmt.Sprintf("%d copies were observed beyond what is expected. The rules tolerate it.", r.Counts.Duplicate),
	}
	r.Expectation = validate.SideResult{Name: "cloudapi", Place: "https://cloud.vendor.example/v1/readings", Costs: validate.Costs{Requests: 1204, Retries: 3, Bytes: 1_310_000_000, Readings: r.Counts.Expected}}
	r.Observation = validate.SideResult{Name: "blob", Place: "https://plant1.blob.core.windows.net/telemetry/archive", Costs: validate.Costs{Requests: 611, Objects: 602, Bytes: 402_500_000, Readings: r.Counts.Observed}}
	r.Latency = &validate.Latency{Count: r.Counts.Matched, P50: 840 * time.Millisecond, P95: 2300 * time.Millisecond, P99: 9 * time.Second, Max: 3*time.Hour + 12*time.Minute}
	left := r.Latency.Count
	for up := 125 * time.Millisecond; left > 0 && up < 4*time.Hour; up *= 2 {
		n := left * 2 / 5
		if up == 250*time.Millisecond {
			n = left / 2
		}
		if 2*up > 4*time.Hour {
			n = left
		}
		if left -= n; n > 0 {
			r.Latency.Buckets = append(r.Latency.Buckets, validate.Bucket{UpTo: up, Count: n})
		}
	}
	return r
}

type generator struct {
	rnd *rand.Rand
	r   *validate.Result
}

// device adds a line of the picture. The first devices are worse than the others.
func (g *generator) device(i, devices, parts int) {
	d := validate.Device{Device: fmt.Sprintf("press%02d", i+7), Site: "plant1"}
	outage := parts * 2 / 5
	for p := range parts {
		n := 40 + g.rnd.Int64N(5)
		part := validate.Part{Index: p, Verdict: validate.Matched, Expected: n}
		odds := g.rnd.IntN(1000)
		switch {
		case i == 3 && p > parts/2 && p < parts*2/3:
			continue // the device was off
		case p >= parts*23/24:
			part.Verdict, part.Bad = validate.Undecided, n
			d.Undecided += n
		case i < max(1, devices/8) && p >= outage+i && p < outage+parts/10:
			part.Verdict, part.Bad = validate.Missing, n
			d.Missing += n
		case odds < 30/(i+1)+2:
			part.Verdict, part.Bad = validate.Missing, 1
			d.Missing++
		case odds < 60/(i+1)+4:
			part.Verdict, part.Bad = validate.Altered, 1
			d.Altered++
		case odds < 70/(i+1)+5:
			part.Verdict, part.Bad = validate.Extra, 1
			d.Extra++
		case odds < 120/(i+1)+6:
			part.Verdict, part.Bad = validate.Duplicate, 3
			d.Duplicate += 3
		case odds < 140/(i+1)+8:
			part.Verdict = validate.Late
			d.Late += 9
		case odds < 150/(i+1)+9:
			part.Verdict = validate.OutOfOrder
			d.OutOfOrder += 2
		}
		g.r.Verdicts[part.Verdict]++
		g.r.Windows++
		d.Expected += n
		d.Parts = append(d.Parts, part)
	}
	d.Matched = d.Expected - d.Altered - d.Missing - d.Undecided
	d.Observed = d.Matched + d.Altered + d.Extra + d.Duplicate
	c := &g.r.Counts
	c.Expected += d.Expected
	c.Observed += d.Observed
	c.Matched += d.Matched
	c.Altered += d.Altered
	c.Missing += d.Missing
	c.Extra += d.Extra
	c.Duplicate += d.Duplicate
	c.Undecided += d.Undecided
	c.OutOfOrder += d.OutOfOrder
	c.Late += d.Late
	g.r.Devices = append(g.r.Devices, d)
}

func (g *generator) throughput(parts int) {
	rates := make([]validate.Rate, parts)
	for i := range rates {
		rates[i].At = g.r.From.Add(time.Duration(i) * g.r.Step)
	}
	for _, d := range g.r.Devices {
		for _, p := range d.Parts {
			rates[p.Index].Expected += p.Expected
			rates[p.Index].Observed += p.Expected
			switch p.Verdict {
			case validate.Missing:
				rates[p.Index].Observed -= p.Bad
			case validate.Extra, validate.Duplicate:
				rates[p.Index].Observed += p.Bad
			}
		}
	}
	g.r.Throughput = rates
}

var sampleTags = [...]string{"temperature", "pressure", "state", "cycle/time", "spindle_speed"}

// lists adds single readings and windows, the worst first.
func (g *generator) lists(devices, listed int) {
	bad := []validate.Verdict{validate.Missing, validate.Altered, validate.Extra, validate.Duplicate, validate.Late}
	for i := range listed {
		at := g.r.From.Add(time.Duration(g.rnd.Int64N(int64(23 * time.Hour)))).Truncate(10 * time.Millisecond)
		d := validate.Discrepancy{
			Verdict: bad[i*len(bad)/listed], Device: fmt.Sprintf("press%02d", 7+g.rnd.IntN(max(devices, 1))), Tag: sampleTags[g.rnd.IntN(len(sampleTags))],
			Time: at, Seq: 1 + g.rnd.Uint64N(90_000),
		}
		value := fmt.Sprintf("%.3f", 20+5*g.rnd.Float64())
		expected := &validate.Said{Site: "plant1", Line: "line2", Time: at, Text: value, Quality: "good", Place: fmt.Sprintf("/v1/readings page %d:%d", 1+i/7, 1+i)}
		observed := &validate.Said{Site: "plant1", Line: "line2", Time: at, Text: value, Quality: "good", Arrived: at.Add(1300 * time.Millisecond), Place: fmt.Sprintf("telemetry/2026/11/20/%02d/press-%04d.ndjson.gz:%d", at.Hour(), i/3, 1+g.rnd.IntN(5000))}
		d.Expected, d.Observed = expected, observed
		switch d.Verdict {
		case validate.Missing:
			d.Observed = nil
			if i%9 == 0 {
				d.Cause = "quarantined: the payload is no JSON"
			}
		case validate.Extra:
			d.Expected = nil
		case validate.Late:
			observed.Arrived = at.Add(3*time.Hour + 12*time.Minute)
		case validate.Altered:
			g.alter(&d, i)
		}
		g.r.Discrepancies = append(g.r.Discrepancies, d)
		from := at.Truncate(time.Hour)
		w := validate.Window{Device: d.Device, Tag: d.Tag, From: from, To: from.Add(time.Hour), Verdict: d.Verdict}
		w.Expected, w.Observed, w.Missing, w.Altered = 3600, 3588, 12, int64(i%4)
		g.r.Problems = append(g.r.Problems, w)
	}
	if listed > 0 {
		g.r.OmittedDiscrepancies, g.r.OmittedProblems, g.r.OmittedDevices = 207, 12, 4
	}
}

// alter makes the sides of a reading say different things.
func (g *generator) alter(d *validate.Discrepancy, i int) {
	switch i % 4 {
	case 0:
		d.Fields, d.Observed.Text = []string{"value"}, fmt.Sprintf("%.3f", 20+5*g.rnd.Float64())
	case 1:
		d.Fields, d.Observed.Quality = []string{"quality"}, "uncertain"
	case 2:
		d.Fields = []string{"value", "time"}
		d.Expected.Text, d.Observed.Text = `"door open at station 4, waiting for the operator to close it"`, `"door open at station 5, waiting for the operator to close it"`
		d.Observed.Time = d.Time.Add(time.Millisecond)
	default:
		d.Fields, d.Observed.Line = []string{"line"}, "line3"
	}
}

// provenSample is a result without a fault, but for copies that are tolerated.
func provenSample() *validate.Result {
	r := sample(40, 96, 0)
	clean := validate.Counts{Expected: r.Counts.Expected, Matched: r.Counts.Expected, Observed: r.Counts.Expected + 821, Duplicate: 821, Late: 12}
	r.Outcome, r.Counts = validate.Proven, clean
	r.Reasons = []string{"821 copies were observed beyond what is expected. The rules tolerate it.", "12 readings arrived late. The rules tolerate it."}
	r.Watermark = r.To.Add(11 * time.Minute)
	r.Observation.Readings = clean.Observed
	r.Verdicts = map[validate.Verdict]int64{validate.Matched: r.Windows - 9, validate.Duplicate: 9}
	for i := range r.Devices {
		d := &r.Devices[i]
		d.Counts = validate.Counts{Expected: d.Expected, Matched: d.Expected, Observed: d.Expected}
		for j := range d.Parts {
			d.Parts[j].Verdict, d.Parts[j].Bad = validate.Matched, 0
		}
	}
	for i := range r.Throughput {
		r.Throughput[i].Observed = r.Throughput[i].Expected
	}
	return r
}

// openSample is a result of which nothing can be said yet.
func openSample() *validate.Result {
	r := provenSample()
	r.Outcome = validate.Open
	n := r.Counts.Expected / 24
	r.Counts.Undecided, r.Counts.Matched, r.Waiting = n, r.Counts.Expected-n, n-17
	r.Watermark = r.From.Add(23 * time.Hour)
	r.Reasons = []string{"The expectation's watermark is at 2026-11-20T23:00:00Z: the time from 2026-11-20T23:00:00Z on waits for it to pass the end of a window by 10m0s.", "3 places of the observation could not be read: no reading that may stand there is called missing."}
	r.Unreadable = []string{"observation: telemetry/2026/11/20/05/press-0004.ndjson.gz:17: gzip: invalid checksum"}
	r.OmittedUnreadable = 2
	return r
}
