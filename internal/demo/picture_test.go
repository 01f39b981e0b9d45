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
	"github.com/kraft-edge/datafeed/internal/witness"
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

func running() progress {
	return progress{
		Phase: "publishing", Elapsed: 12 * time.Second, Total: 20 * time.Second, Source: "→ RabbitMQ",
		Published: 61_240, Rate: 5003.4, Received: 61_102, Lines: 55_000, Objects: 11, RSS: 64 << 20,
		Routes: []routeProgress{
			{Name: "mqtt", From: "amqp", To: "mqtt", State: feed.StateRunning, Delivered: 61_102, InFlight: 138, Rate: 5010},
			{Name: "archive", From: "amqp", To: "blob", State: feed.StatePaused, Reason: "blob: disk\x1b[2J full", Delivered: 55_000, InFlight: 6_240},
		},
	}
}

func TestPicture(t *testing.T) {
	start := progress{Phase: "starting", Elapsed: 3 * time.Second, Total: 20 * time.Second}
	for name, lines := range map[string][]string{
		"picture.golden": style{}.picture(running(), 100),
		"color.golden":   style{color: true}.picture(running(), 100),
		"narrow.golden":  style{}.picture(running(), 40),
		"start.golden":   style{}.picture(start, 100),
		"line.golden":    {line(start), line(running())},
	} {
		golden(t, name, strings.Join(lines, "\n")+"\n")
	}
	for _, l := range (style{color: true}).picture(running(), 40) {
		if visible(l) > 40 {
			t.Errorf("%q is wider than 40", l)
		}
	}
}

func TestFinalPicture(t *testing.T) {
	p := running()
	p.Phase, p.Final, p.Elapsed, p.Total = "done", true, 7300*time.Millisecond, 7300*time.Millisecond
	p.Received, p.Lines = p.Published, p.Published
	for i := range p.Routes {
		p.Routes[i].State, p.Routes[i].Reason = feed.StateStopped, ""
		p.Routes[i].Delivered, p.Routes[i].InFlight = p.Published, 0
	}
	golden(t, "final.golden", strings.Join(style{}.picture(p, 79), "\n")+"\n")
}

// TestPictureFitsEightyColumns draws large figures, and demands that nothing
// has to be cut.
func TestPictureFitsEightyColumns(t *testing.T) {
	p := running()
	p.Published, p.Rate, p.Received, p.Lines, p.Objects, p.RSS = 12_345_678, 123_456, 12_300_000, 12_200_000, 12_345, 4<<30
	p.Elapsed, p.Total = 90*time.Minute, 100*time.Minute
	p.Routes[1].State, p.Routes[1].Reason = feed.StateRunning, ""
	for i := range p.Routes {
		p.Routes[i].Delivered, p.Routes[i].InFlight, p.Routes[i].Rate = 12_300_000, 45_678, 123_456
	}
	inProcess := p
	inProcess.Source = "generator"
	inProcess.Routes = []routeProgress{{Name: routeBoth, From: "generate", To: "mqtt+blob", State: feed.StateRetrying, Delivered: 12_300_000, InFlight: 45_678, Rate: 123_456}}
	for _, l := range append(style{}.picture(p, 1000), style{}.picture(inProcess, 1000)...) {
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
	term.show(running())
	n := strings.Count(b.String(), "\r\n")
	b.Reset()
	term.show(running())
	if want := beginUpdate + hideCursor + "\r\x1b[" + count(uint64(n)) + "A"; !strings.HasPrefix(b.String(), want) {
		t.Errorf("starts with %q, want %q", b.String()[:40], want)
	}
	b.Reset()
	term.size = func() (int, int) { return 100, 5 }
	term.drawn = 0
	term.show(running())
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
	term.show(running())
	term.say("stays")
	term.show(running())
	for _, width = range []int{80, 130} {
		b.Reset()
		term.show(running())
		if want := beginUpdate + hideCursor + clearAll + "stays\n"; !strings.HasPrefix(b.String(), want) {
			t.Errorf("at width %d starts with %q, want %q", width, b.String()[:40], want)
		}
		for _, l := range strings.Split(b.String(), "\r\n") {
			if _, l, _ = strings.Cut(l, "stays\n"); visible(l) >= width {
				t.Errorf("%q is too wide for %d", l, width)
			}
		}
		b.Reset()
		if term.show(running()); strings.Contains(b.String(), clearAll) {
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
	good := Report{
		Source: sourceRabbitMQ, Published: 100_000, Rate: 4990, RateAsked: 5000, MQTT: witness.Verdict{Expected: 100_000, Arrived: 100_000},
		Blobs: BlobVerdict{Objects: 20, Verdict: witness.Verdict{Expected: 100_000, Arrived: 100_000}}, PublishSeconds: 20, StartSeconds: 6.1,
		DrainSeconds: 0.8, RSSBytes: 60 << 20, PeakRSSBytes: 70 << 20, File: "/demo/feed.yaml",
	}
	bad := good
	bad.Source, bad.Republished, bad.PeakRSSBytes, bad.File = sourceGenerator, 3, 0, ""
	bad.MQTT = witness.Verdict{Expected: 100_000, Arrived: 99_993, Missing: 7, Duplicates: 2, Disordered: 1, Unexpected: 1, Unreadable: 1,
		FirstMissing: []string{"device0001/7", "device0002/7", "device0003/7", "device0004/7", "device0005/7", "device0006/7", "device0007/7"}}
	bad.Rate, bad.RateAsked = 3847, 5000
	good.account(feed.RouteStatus{Name: "mqtt", Deliveries: feed.Account{Received: 100_000, Delivered: 100_000}, Produced: feed.Account{Received: 100_000, Delivered: 100_000}})
	bad.account(feed.RouteStatus{Name: "mqtt", Deliveries: feed.Account{Received: 100_000, Delivered: 99_999}})
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

func TestNothingPublishedIsNoSuccess(t *testing.T) {
	r := Report{}
	if r.judge(); r.Complete {
		t.Error("complete, though nothing was published")
	}
}

func TestMeter(t *testing.T) {
	var m meter
	at := time.Now()
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
