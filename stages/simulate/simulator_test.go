package simulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

type fataler interface {
	Helper()
	Fatal(...any)
}

const someStart = "2026-03-01T12:00:00Z"

func newSimulator(t fataler, edit func(*Config)) *Simulator {
	t.Helper()
	c := DefaultConfig()
	c.Start, c.Rate = someStart, 0
	edit(&c)
	s, err := NewSimulator(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawConfig draws a small factory.
func drawConfig(t *rapid.T) Config {
	c := DefaultConfig()
	c.Start = someStart
	c.Sites = []string{"plant1", "plant2"}[:rapid.IntRange(1, 2).Draw(t, "sites")]
	c.Lines = rapid.IntRange(1, 3).Draw(t, "lines")
	c.Devices = rapid.IntRange(1, 9).Draw(t, "devices")
	c.Tags = rapid.IntRange(1, 40).Draw(t, "tags")
	c.Rate = rapid.SampledFrom([]int{0, 1, 1000, maxRate}).Draw(t, "rate")
	c.Period = time.Duration(rapid.Int64Range(int64(minPeriod), int64(time.Hour)).Draw(t, "period"))
	c.Seed = rapid.Int64().Draw(t, "seed")
	c.Batch.Readings = rapid.IntRange(1, 200).Draw(t, "readings")
	c.Batch.Every = time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)).Draw(t, "every"))
	c.Codec = Codec(rapid.SampledFrom(c.Codec.Values()).Draw(t, "codec"))
	c.Chaos.Skew = time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "skew"))
	c.Chaos.Drift = Share(rapid.Float64Range(0, maxDrift).Draw(t, "drift"))
	return c
}

// TestFollowsFromConfiguration makes batches in any order, with simulators that
// know nothing of each other.
func TestFollowsFromConfiguration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		first, err := NewSimulator(c)
		if err != nil {
			t.Fatal(err)
		}
		second, err := NewSimulator(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Seed++
		other, err := NewSimulator(c)
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		const batches = 6
		for i := range uint64(batches) {
			for device := range first.Devices() {
				late := uint64(batches) - i
				early := mustFrame(t, first, device, late)
				if again := mustFrame(t, second, device, i+1); i+1 == late && !bytes.Equal(early, again) {
					t.Fatal("two simulators make different batches")
				}
				if !bytes.Equal(early, mustFrame(t, second, device, late)) {
					t.Fatal("two simulators make different batches")
				}
				if bytes.Equal(early, mustFrame(t, other, device, late)) {
					same++
				}
			}
		}
		if same == batches*first.Devices() {
			t.Fatal("another seed makes the same batches")
		}
	})
}

func mustFrame(t fataler, s *Simulator, device int, sequence uint64) []byte {
	t.Helper()
	frame, err := s.Frame(nil, device, sequence)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestTheSameInEveryProcess holds what is made to what another process has made.
func TestTheSameInEveryProcess(t *testing.T) {
	// Other processors may round the last bit of a product and a sum otherwise.
	want, known := map[string]string{"amd64": "ebf218c83ab3c6ae"}[runtime.GOARCH]
	s := newSimulator(t, func(c *Config) { c.Chaos.Skew, c.Chaos.Drift = time.Minute, 0.001 })
	var text []byte
	for device := range s.Devices() {
		for _, sequence := range []uint64{1, 2, 300, 1_000_000} {
			for _, r := range s.Readings(nil, device, sequence) {
				text = r.AppendJSON(text)
			}
		}
	}
	sum := sha256.Sum256(text)
	if got := hex.EncodeToString(sum[:8]); known && got != want {
		t.Errorf("the readings have the hash %s, want %s: whoever compares what two builds made sees other readings", got, want)
	}
}

// TestReadings checks what holds for all readings of a device.
func TestReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		s, err := NewSimulator(c)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for device := range s.Devices() {
			d := &s.devices[device]
			names[d.name] = true
			var seq uint64
			times := map[string]int64{}
			last := int64(math.MinInt64)
			for sequence := range uint64(8) {
				rs := s.Readings(nil, device, sequence+1)
				if len(rs) == 0 || len(rs) > c.Batch.Readings {
					t.Fatalf("batch %d has %d readings", sequence+1, len(rs))
				}
				for _, r := range rs {
					seq++
					before, known := times[r.Tag]
					switch err := r.Validate(); {
					case err != nil:
						t.Fatal(err)
					case r.Seq != seq:
						t.Fatalf("seq %d, want %d", r.Seq, seq)
					case r.Device != d.name || r.Site != d.site || r.Line != d.line:
						t.Fatalf("%+v is of another device than %s", r, d.name)
					case r.Time < last || known && r.Time <= before:
						t.Fatalf("%s: time %d after %d, and %d of its tag", r.Tag, r.Time, last, before)
					case (r.Value.Kind() == reading.None || math.IsNaN(r.Value.Float())) != (r.Quality == bad):
						t.Fatalf("%+v", r)
					}
					last, times[r.Tag] = r.Time, r.Time
				}
			}
			if len(times) > c.Tags {
				t.Fatalf("%d tags, want %d", len(times), c.Tags)
			}
		}
		if len(names) != c.Devices {
			t.Fatalf("%d devices have %d names", c.Devices, len(names))
		}
	})
}

// TestRateOfReadings counts the readings of an hour.
func TestRateOfReadings(t *testing.T) {
	for _, rate := range []int{20, 1000, 12_345} {
		s := newSimulator(t, func(c *Config) { c.Rate, c.Devices, c.Batch = rate, 13, Batch{1000, time.Second} })
		q := newQueue(s)
		total, due := int64(0), int64(0)
		for due < 3600*second {
			next := q.peek()
			if next.due < due {
				t.Fatalf("a batch is due at %d, after one at %d", next.due, due)
			}
			due = next.due
			from, to := s.devices[next.device].extent(next.sequence)
			total += to - from
			q.pop()
		}
		if got := float64(total) / 3600; math.Abs(got-float64(rate)) > 0.01*float64(rate) {
			t.Errorf("%.1f readings a second, want %d", got, rate)
		}
	}
}

// TestBatchesCloseInTime checks that no reading waits longer than every.
func TestBatchesCloseInTime(t *testing.T) {
	s := newSimulator(t, func(c *Config) { c.Rate, c.Batch = 1000, Batch{10_000, 10 * time.Second} })
	for device := range s.Devices() {
		for sequence := uint64(1); sequence < 20; sequence++ {
			rs := s.Readings(nil, device, sequence)
			if took := time.Duration(rs[len(rs)-1].Time - rs[0].Time); took > 10*time.Second+200*time.Millisecond {
				t.Fatalf("batch %d of device %d took %v", sequence, device, took)
			}
		}
	}
}

func TestMixedCodecs(t *testing.T) {
	s := newSimulator(t, func(c *Config) { c.Codec, c.Devices = Mixed, 6 })
	seen := map[string]int{}
	for device := range s.Devices() {
		b, err := batch.Parse(mustFrame(t, s, device, 1), batch.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		seen[b.Codec]++
	}
	for _, c := range batch.All() {
		if seen[c.Name()] != 6/len(batch.All()) {
			t.Errorf("%s: %d devices of 6", c.Name(), seen[c.Name()])
		}
	}
}

func BenchmarkReadings(b *testing.B) {
	c := DefaultConfig()
	c.Start, c.Rate, c.Batch = someStart, 0, Batch{1000, time.Hour}
	s, err := NewSimulator(c)
	if err != nil {
		b.Fatal(err)
	}
	var rs []reading.Reading
	made := 0
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		rs = s.Readings(rs[:0], int(i%20), 1000+i/20)
		made += len(rs)
	}
	b.ReportMetric(float64(made)/b.Elapsed().Seconds(), "readings/s")
}

func BenchmarkFrames(b *testing.B) {
	for _, codec := range batch.All() {
		b.Run(codec.Name(), func(b *testing.B) {
			c := DefaultConfig()
			c.Start, c.Rate, c.Batch, c.Codec = someStart, 0, Batch{1000, time.Hour}, Codec(codec.Name())
			s, err := NewSimulator(c)
			if err != nil {
				b.Fatal(err)
			}
			var frame []byte
			size := 0
			for i := uint64(0); b.Loop(); i++ {
				if frame, err = s.Frame(frame[:0], int(i%20), 1000+i/20); err != nil {
					b.Fatal(err)
				}
				size += len(frame)
			}
			b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
			b.ReportMetric(float64(size)/float64(b.N)/1000, "bytes/reading")
		})
	}
}
