package mqtt

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
)

// benchMessages returns readings of n devices as the bridge makes them.
func benchMessages(n, payload int) []*message.Message {
	body := []byte(strings.Repeat("x", payload))
	msgs := make([]*message.Message, n)
	for i := range msgs {
		msgs[i] = &message.Message{
			UUID:    fmt.Sprintf("018f2c5e-0000-7000-8000-%012d", i),
			Payload: body,
			Metadata: message.Metadata{
				feed.MetaTopic:       "kraft/rio/line3/press" + strconv.Itoa(i%200) + "/temperature",
				feed.MetaContentType: "application/json",
			},
		}
	}
	return msgs
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPublishBatch measures one message of a batch of 500. DATAFEED_MQTT_URL
// names a broker to measure against; the CPU figure is then the sink's alone.
func BenchmarkPublishBatch(b *testing.B) {
	for _, size := range []int{200, 4096, 64 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			url := os.Getenv("DATAFEED_MQTT_URL")
			if url == "" {
				url = ackAll(b)
			}
			s := newTestSink(b, url)
			const batch = 500
			msgs := benchMessages(batch, size)
			if err := s.Probe(testContext(b)); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu(b)
			for n := 0; n < b.N; n += batch {
				part := feed.NewBatch(msgs[:min(batch, b.N-n)]...)
				if err := s.PublishBatch(b.Context(), part); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
