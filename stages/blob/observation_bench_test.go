package blob

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// BenchmarkObservation measures what it costs to read a reading back, with one
// object at a time and one processor; directory and page cache, no network.
func BenchmarkObservation(b *testing.B) {
	const objects, each = 20, 50_000
	for _, name := range []string{"ndjson", "ndjson.gz", "ndjson.zst", "envelope", "parquet", "parquetNanos"} {
		b.Run(name, func(b *testing.B) {
			form, step := forms[name], time.Millisecond
			if name == "parquetNanos" { // whose exact times stand in extra
				form, step = forms["parquet"], time.Millisecond+1
			}
			dir := b.TempDir()
			for o := range objects {
				rs := make([]reading.Reading, each)
				for i := range rs {
					n := o*each + i
					rs[i] = reading.Reading{
						Site: "plant1", Line: "line2", Device: fmt.Sprintf("press%d", n%50), Tag: fmt.Sprintf("tag%d", n%16),
						Time: validatetest.Noon.Add(time.Duration(n/800) * step).UnixNano(), Value: reading.OfFloat(math.Round(1e4*math.Sin(float64(n)/1000)) / 100), Quality: "good", Seq: uint64(n / 50),
					}
				}
				extension := "." + strings.TrimSuffix(name, "Nanos")
				if name == "envelope" {
					extension = ".ndjson.gz"
				}
				writeFile(b, dir, strconv.Itoa(o)+extension, encoded(b, form, rs...))
			}
			forgetPeak(b)
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			b.ReportAllocs()
			b.ResetTimer()
			n, stored, begin := 0, int64(0), cpuTime(b)
			for b.Loop() {
				o := observe(b, dirConfig(dir), nil)
				if err := o.Read(b.Context(), query(), func(p validate.Page) error {
					n += len(p.Records)
					if len(p.Unreadable) > 0 {
						b.Fatal(p.Unreadable[0])
					}
					return nil
				}); err != nil {
					b.Fatal(err)
				}
				stored = o.Costs().Bytes
			}
			if n != b.N*objects*each {
				b.Fatalf("%d readings", n)
			}
			b.ReportMetric(float64(n)/(cpuTime(b)-begin).Seconds(), "readings/cpu-s")
			b.ReportMetric(float64(stored)/objects/each, "bytes/reading")
			b.ReportMetric(float64(peakBytes(b))/(1<<20), "MiB-peak")
		})
	}
}

// forgetPeak gives up what was needed before, and begins to measure anew.
func forgetPeak(b *testing.B) {
	b.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil {
		b.Fatal(err)
	}
}

// peakBytes is the most memory that the process has had since then.
func peakBytes(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Fatal("no VmHWM")
	return 0
}
