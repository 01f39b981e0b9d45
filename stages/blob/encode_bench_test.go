package blob

import (
	"context"
	"fmt"
	"io"
	"iter"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// nullStore takes objects and forgets them.
type nullStore struct{ bytes int64 }

func (n *nullStore) create(_ context.Context, o object) error {
	n.bytes += int64(len(o.data))
	return nil
}
func (n *nullStore) stat(context.Context, string) (Object, error) {
	return Object{}, fault(failNotFound)
}
func (n *nullStore) open(context.Context, string) (io.ReadCloser, error)   { panic("not called") }
func (n *nullStore) list(context.Context, string) iter.Seq2[Object, error] { panic("not called") }
func (n *nullStore) load(context.Context, string) ([]byte, string, error)  { panic("not called") }
func (n *nullStore) swap(context.Context, string, []byte, string) (string, error) {
	panic("not called")
}
func (n *nullStore) probe(context.Context) error { return nil }
func (n *nullStore) close()                      {}

func readings(n int) []*message.Message {
	msgs := make([]*message.Message, n)
	for i := range msgs {
		msgs[i] = &message.Message{
			UUID:     fmt.Sprint(i),
			Payload:  fmt.Appendf(nil, `{"device":"press-%03d","tag":"hydraulics.pressure.main","ts":"2026-11-21T03:40:%02d.%06dZ","value":%.4f,"quality":"good","seq":%d,"site":"north","line":"line-%02d","unit":"bar","batch":"A-77123"}`, i%200, i/1000%60, i*7919%1000000, float64(i*7919%100000)/113, i, i%7),
			Metadata: message.Metadata{"topic": fmt.Sprintf("telemetry.north.line-%02d.press-%03d.pressure", i%7, i%200), "time": fmt.Sprintf("2026-11-21T03:40:%02dZ", i/1000%60), "x-line": fmt.Sprint(i % 7)},
		}
	}
	return msgs
}

// BenchmarkEncode measures what a message of about 200 bytes costs from
// PublishBatch to the bytes of the object, hash included.
func BenchmarkEncode(b *testing.B) {
	const n = 20000
	msgs := readings(n)
	for _, e := range []Envelope{EnvelopeNone, EnvelopeFull} {
		for _, c := range []Compression{Plain, Gzip, Zstd} {
			b.Run(string(e)+"/"+string(c), func(b *testing.B) {
				benchmarkPublish(b, msgs, Config{Path: "{date}/{hour}/{route}", Envelope: e, Compression: c})
			})
		}
	}
	b.Run("none/plain/7 paths", func(b *testing.B) {
		benchmarkPublish(b, msgs, Config{Path: "{date}/{hour}/{meta.x-line}/{route}", Envelope: EnvelopeNone, Compression: Plain})
	})
	for _, c := range []Compression{Plain, Gzip, Zstd} {
		b.Run("parquet/"+string(c), func(b *testing.B) {
			benchmarkPublish(b, msgs, Config{Path: "hive", Format: FormatParquet, Envelope: EnvelopeNone, Compression: c})
		})
	}
}

func benchmarkPublish(b *testing.B, msgs []*message.Message, how Config) {
	cfg := dirConfig("/unused")
	cfg.Path, cfg.Format, cfg.Envelope, cfg.Compression = how.Path, how.Format, how.Envelope, how.Compression
	st := &nullStore{}
	s, err := newSink(cfg, testEnv, st)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	rounds := 0
	before := cpuTime(b)
	for b.Loop() {
		if err := s.PublishBatch(b.Context(), batch(msgs...)); err != nil {
			b.Fatal(err)
		}
		rounds++
	}
	total := float64(rounds * len(msgs))
	b.ReportMetric(float64(cpuTime(b)-before)/total, "cpu-ns/msg")
	b.ReportMetric(float64(st.bytes)/total, "bytes/msg")
}

// cpuTime is what the process has used so far: unlike the time of day it says
// something on a machine that others use, too.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
