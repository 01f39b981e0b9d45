package cloudapi

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
)

func TestWatermark(t *testing.T) {
	a := start(t, Options{AllowedLateness: 3 * time.Second, Devices: 2})
	step := func(want string) {
		t.Helper()
		if got := a.watermark(t); got != want {
			t.Errorf("watermark %q, want %q", got, want)
		}
		if got := a.page(t, url.Values{"limit": {"1"}}).watermark; got != want {
			t.Errorf("watermark %q with a page, want %q", got, want)
		}
	}
	step("")
	a.frame(t, 1, seconds("a", 0, 11)...)
	step("") // one of two devices
	a.frame(t, 2, seconds("b", 100, 111)...)
	step("") // batch 1 of b is missing
	a.frame(t, 1, seconds("b", 0, 100)...)
	step("1970-01-01T00:00:07Z") // a's 10, less 3
	a.frame(t, 3, seconds("a", 20, 30)...)
	step("1970-01-01T00:00:07Z") // batch 2 of a is missing
	a.lines(t, "", seconds("a", 11, 20)...)
	step("1970-01-01T00:00:07Z") // lines without a number say nothing
	a.lines(t, "?device=a&sequence=2", seconds("a", 11, 20)...)
	step("1970-01-01T00:00:26Z")
	a.frame(t, 4, seconds("a", 5, 7)...)
	step("1970-01-01T00:00:26Z") // never back
	a.lines(t, "", seconds("c", 0, 1)...)
	step("") // nobody knows what is to come of c
	a.lines(t, "?device=c&sequence=1", seconds("c", 0, 50)...)
	step("1970-01-01T00:00:26Z")
}

// TestWatermarkIsKept: whatever order batches come in, all readings before the
// watermark are there whenever it is told, and in the end it is the last time of
// the device that ended first.
func TestWatermarkIsKept(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		type sent struct {
			device   string
			sequence uint64
			readings []reading.Reading
		}
		var all []sent
		devices := rapid.IntRange(1, 3).Draw(t, "devices")
		ends := 1 << 30
		for d := range devices {
			at, name := rapid.IntRange(0, 5).Draw(t, "start"), fmt.Sprint("device", d)
			for sequence := range rapid.IntRange(1, 5).Draw(t, "batches") {
				next := at + rapid.IntRange(1, 4).Draw(t, "readings")
				all = append(all, sent{name, uint64(sequence) + 1, seconds(name, at, next)})
				at = next
			}
			ends = min(ends, at-1)
		}
		n++
		s, err := openStore(context.Background(), filepath.Join(dir, fmt.Sprint(n, ".db")), Options{Now: time.Now, Devices: devices})
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		for i, b := range rapid.Permutation(all).Draw(t, "order") {
			d := delivery{readings: b.readings, device: b.device, sequence: b.sequence}
			if _, err := s.put(context.Background(), &d); err != nil {
				t.Fatal(err)
			}
			p, err := s.page(context.Background(), &query{limit: maxLimit})
			if err != nil {
				t.Fatal(err)
			}
			if p.watermark == nil {
				if i == len(all)-1 {
					t.Fatal("there is no watermark in the end")
				}
				continue
			}
			told := map[string]bool{}
			for _, text := range p.readings {
				told[string(text)] = true
			}
			for _, b := range all {
				for _, r := range b.readings {
					if text := string(r.AppendJSON(nil)); r.Time < *p.watermark && !told[text] {
						t.Fatalf("the watermark is %d, and %s is missing", *p.watermark, text)
					}
				}
			}
			if i == len(all)-1 && *p.watermark != int64(ends)*1e9 {
				t.Fatalf("in the end the watermark is %d, want %d s", *p.watermark, ends)
			}
		}
	})
}
