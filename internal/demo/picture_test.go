package demo

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got:\n%s\nwant:\n%s", name, got, want)
	}
}

// moment is a demo in the midst of sending.
func moment() progress {
	return progress{
		Phase: "sending", Elapsed: 19 * time.Second, Passed: 12 * time.Second, Total: 20 * time.Second, Made: 61_240, Held: 14, RSS: 64 << 20,
		Hops: []hop{
			{Name: "devices", From: "simulate", To: "amqp", State: feed.StateRunning, Batches: 480, Readings: 61_240, Rate: 5003.4},
			{Name: "ingest", From: "amqp", To: "amqp+postgres", State: feed.StateRunning, Batches: 492, Readings: 61_102, InFlight: 2, Rate: 5010},
			{Name: "mqtt", From: "amqp", To: "mqtt", State: feed.StateRunning, Readings: 61_102, InFlight: 138, Rate: 5010},
			{Name: "archive", From: "amqp", To: "blob", State: feed.StatePaused, Reason: "blob: disk\x1b[2J full", Readings: 55_000, InFlight: 6_240},
			{Name: "truth", From: "simulate", To: "http", State: feed.StateRunning, Batches: 478, Readings: 61_000, InFlight: 1, Rate: 4990},
		},
		Places: []arrivedAt{{Name: "cloud API", N: 61_000}, {Name: "MQTT subscriber", N: 60_102}, {Name: "lines in blobs", N: 54_000, Files: 11}},
	}
}

func TestPicture(t *testing.T) {
	start := progress{Phase: "starting", Elapsed: 3 * time.Second, Passed: 3 * time.Second, Total: 20 * time.Second}
	for name, lines := range map[string][]string{
		"picture.golden": style{}.picture(moment(), 100),
		"color.golden":   style{color: true}.picture(moment(), 100),
		"narrow.golden":  style{}.picture(moment(), 40),
		"start.golden":   style{}.picture(start, 100),
		"line.golden":    {line(start), line(moment())},
	} {
		golden(t, name, strings.Join(lines, "\n")+"\n")
	}
	for _, l := range (style{color: true}).picture(moment(), 40) {
		if visible(l) > 40 {
			t.Errorf("%q is wider than 40", l)
		}
	}
}

func TestFinalPicture(t *testing.T) {
	p := moment()
	p.Phase, p.Final, p.Elapsed, p.Passed = "done", true, 27300*time.Millisecond, p.Total
	for i := range p.Hops {
		h := &p.Hops[i]
		h.State, h.Reason, h.Readings, h.InFlight = feed.StateStopped, "", p.Made, 0
	}
	for i := range p.Places {
		p.Places[i].N = p.Made
	}
	golden(t, "final.golden", strings.Join(append(style{}.picture(p, 79), line(p)), "\n")+"\n")
}

// TestPictureFitsEightyColumns draws large figures, and demands that nothing
// has to be cut.
func TestPictureFitsEightyColumns(t *testing.T) {
	p := moment()
	p.Made, p.RSS, p.Held, p.Elapsed, p.Passed, p.Total = 12_345_678, 4<<30, 12_345, 91*time.Minute, 90*time.Minute, 100*time.Minute
	for i := range p.Hops {
		h := &p.Hops[i]
		h.To, h.State, h.Reason, h.Batches, h.Readings, h.InFlight, h.Rate = "mqtt+blob+postgres", feed.StateRetrying, "", 123_456, 12_300_000, 45_678, 123_456
	}
	for i := range p.Places {
		p.Places[i].N, p.Places[i].Files = 12_300_000, 12_345
	}
	for _, l := range (style{}).picture(p, 1000) {
		if visible(l) > 79 {
			t.Errorf("%q is %d wide", l, visible(l))
		}
	}
}

// TestTerminalRedrawsInPlace looks at what a terminal is sent for a second
// picture: back to the first line, no clearing of what is redrawn.
func TestTerminalRedrawsInPlace(t *testing.T) {
	var b bytes.Buffer
	term := &terminal{w: &b, size: func() (int, int) { return 100, 40 }}
	term.show(moment())
	n := strings.Count(b.String(), "\r\n")
	b.Reset()
	term.show(moment())
	if want := beginUpdate + hideCursor + "\r\x1b[" + count(uint64(n)) + "A"; !strings.HasPrefix(b.String(), want) {
		t.Errorf("starts with %q, want %q", b.String()[:40], want)
	}
	b.Reset()
	term.size = func() (int, int) { return 100, 5 }
	term.drawn = 0
	term.show(moment())
	if n := strings.Count(b.String(), "\r\n"); n != 4 {
		t.Errorf("%d lines on a terminal of 5", n)
	}
	b.Reset()
	term.close()
	if b.String() != showCursor {
		t.Errorf("close writes %q", b.String())
	}
}

// TestResizeClearsTheScreen demands that pieces of a picture that the terminal
// broke on a resize are gone, and that what was said is still there, once.
func TestResizeClearsTheScreen(t *testing.T) {
	var b bytes.Buffer
	width := 100
	term := &terminal{w: &b, size: func() (int, int) { return width, 40 }}
	term.show(moment())
	term.say("stays")
	term.show(moment())
	for _, width = range []int{80, 130} {
		b.Reset()
		term.show(moment())
		if want := beginUpdate + hideCursor + clearAll + "stays\n"; !strings.HasPrefix(b.String(), want) {
			t.Errorf("at width %d starts with %q, want %q", width, b.String()[:40], want)
		}
		for _, l := range strings.Split(b.String(), "\r\n") {
			if _, l, _ = strings.Cut(l, "stays\n"); visible(l) >= width {
				t.Errorf("%q is too wide for %d", l, width)
			}
		}
		b.Reset()
		if term.show(moment()); strings.Contains(b.String(), clearAll) {
			t.Error("clears again without a resize")
		}
	}
}

func TestPercentNeverRoundsUp(t *testing.T) {
	for share, want := range map[float64]string{0: "0.0 %", 0.99999: "99.9 %", 1: "100 %"} {
		if got := percent(share); got != want {
			t.Errorf("percent(%v) = %q, want %q", share, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	const n = 100_000
	sent := simulate.Report{Batches: 800, Readings: n, Messages: 838, BitFlips: 8, Truncated: 6, Bombs: 1, Garbage: 7, Duplicates: 16, Reordered: 24}
	good := Report{
		Source: sourceRabbitMQ, Rate: 4990, RateAsked: 5000, Devices: DevicesReport{Count: 40, Report: sent},
		Truth: simulate.Report{Batches: 800, Readings: n, Messages: 800}, API: APIReport{Readings: n, Pages: 10},
		Quarantine:   map[string]uint64{"checksum": 8, "truncated": 6, "limits": 1, "format": 7},
		MQTT:         Comparison{Verdict: witness.Verdict{Expected: n, Arrived: n, Duplicates: 2_010, Disordered: 3_100}},
		Blobs:        BlobsReport{Objects: 20, Comparison: Comparison{Verdict: witness.Verdict{Expected: n, Arrived: n, Duplicates: 2_010, Disordered: 3_100}}},
		PostgreSQL:   &Comparison{Verdict: witness.Verdict{Expected: n, Arrived: n}},
		StartSeconds: 6.1, SendSeconds: 20, DrainSeconds: 0.8, CompareSeconds: 1.2, RSSBytes: 60 << 20, PeakRSSBytes: 70 << 20,
		Files: []string{"/demo/devices.yaml", "/demo/feed.yaml"},
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	good.Validation = &ValidationReport{Outcome: validate.Proven, From: at, To: at.Add(19 * time.Second), Counts: validate.Counts{Expected: 95_000, Matched: 95_000}, Page: "/demo/report.html"}
	bad := good
	bad.Validation = &ValidationReport{Outcome: validate.Discrepant, Reasons: []string{"1 expected readings are missing."}, From: at, To: at.Add(19 * time.Second), Counts: validate.Counts{Expected: 95_000, Matched: 94_999, Missing: 1}}
	bad.Source, bad.Rate, bad.PeakRSSBytes, bad.Files, bad.PostgreSQL = sourceProcess, 3847, 0, nil, nil
	bad.API = APIReport{Readings: n - 1, Pages: 1}
	bad.Quarantine = map[string]uint64{"checksum": 8}
	bad.MQTT = Comparison{Altered: 1, FirstAltered: []string{"device0009/4"}, Verdict: witness.Verdict{Expected: n - 1, Arrived: n - 8, Missing: 7, Duplicates: 2, Disordered: 1, Unexpected: 1,
		FirstMissing: []string{"device0001/7", "device0002/7", "device0003/7", "device0004/7", "device0005/7", "device0006/7", "device0007/7"}}}
	bad.Blobs = BlobsReport{Objects: 1, Comparison: Comparison{FirstBad: "missing: {device:device0001 tag:temperature time:7 seq:7}",
		Verdict: witness.Verdict{Expected: n - 1, Arrived: n - 2, Missing: 1, Unexpected: 1}}}
	for _, route := range []feed.RouteStatus{
		{Name: routeDevices, Source: "simulate", Sink: "amqp", Deliveries: feed.Account{Received: 838, Delivered: 838}},
		{
			Name: routeIngest, Source: "amqp", Sink: "amqp", Deliveries: feed.Account{Received: 838, Delivered: 816, Quarantined: map[string]uint64{"unbatch": 22}},
			Produced: feed.Account{Received: 102_032, Delivered: 102_010, Quarantined: map[string]uint64{"unbatch": 22}},
		},
		{Name: routeMQTT, Source: "amqp", Sink: "mqtt", Deliveries: feed.Account{Received: 102_010, Delivered: 102_010}},
		{Name: routeTruth, Source: "simulate", Sink: "http", Deliveries: feed.Account{Received: 800, Delivered: 800}},
	} {
		good.account(route)
		if route.Name == routeMQTT {
			route.Deliveries.Delivered--
		}
		bad.account(route)
	}
	for name, r := range map[string]*Report{"good.golden": &good, "bad.golden": &bad} {
		r.judge()
		if r.Complete != (r == &good) {
			t.Errorf("%s: complete: %v, %v", name, r.Complete, r.Problems)
		}
		var b strings.Builder
		if err := r.Write(&b, false); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
		for _, l := range strings.Split(b.String(), "\n") {
			if visible(l) > tableWidth {
				t.Errorf("%q is %d wide", l, visible(l))
			}
		}
	}
}

func TestNothingSentIsNoSuccess(t *testing.T) {
	r := Report{}
	if r.judge(); r.Complete {
		t.Error("complete, though nothing was sent")
	}
}

func TestMeter(t *testing.T) {
	var m meter
	at := time.Now()
	// What was before it began to count is no part of the rate.
	m.rate(at.Add(-time.Minute), 0)
	m.rate(at, 0)
	if got := m.rate(at.Add(100*time.Millisecond), 100); got != 1000 {
		t.Errorf("at first %v, want 1000", got)
	}
	for i := range 100 {
		m.rate(at.Add(time.Duration(i)*100*time.Millisecond), uint64(i*100))
	}
	if got := m.rate(at.Add(10*time.Second), 10_000); got != 1000 {
		t.Errorf("rate %v, want 1000", got)
	}
	if len(m.samples) > 40 {
		t.Errorf("%d samples are kept", len(m.samples))
	}
}

// TestLineLog writes a line for each phase, and one each ten seconds of sending.
func TestLineLog(t *testing.T) {
	var b strings.Builder
	l := &lineLog{w: &b}
	p := progress{Phase: "starting a private RabbitMQ"}
	for range 200 { // 20 s
		p.Elapsed += 100 * time.Millisecond
		l.show(p)
	}
	sending := moment()
	for range 250 {
		p.Elapsed += 100 * time.Millisecond
		sending.Elapsed = p.Elapsed
		l.show(sending)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 1+3 {
		t.Errorf("%d lines, want 4:\n%s", len(lines), b.String())
	}
	for _, text := range lines {
		if visible(text) > 180 {
			t.Errorf("%q is %d wide", text, visible(text))
		}
	}
}
