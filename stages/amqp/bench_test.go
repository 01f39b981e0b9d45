package amqp

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// cpuTime is the processor time of this process so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	noError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU reports processor seconds per 100,000 messages.
func reportCPU(b *testing.B, used time.Duration) {
	b.ReportMetric(used.Seconds()*1e5/float64(b.N), "cpu-s/100k")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// BenchmarkSource receives and settles messages of 200 bytes from a quorum
// queue, in batches as they come, at most 1000.
func BenchmarkSource(b *testing.B) {
	v := testenv.RabbitMQ(b)
	p := newPublisher(b, v.URL())
	p.declare(b, "q", QueueQuorum)
	body := bytes.Repeat([]byte("x"), 200)
	sink := realSink(b, v.URL(), func(c *SinkConfig) { c.RoutingKey = "q" })
	fill := make([]*message.Message, 1000)
	for i := range fill {
		fill[i] = &message.Message{UUID: "0123456789", Payload: body, Metadata: message.Metadata{"site": "north"}}
	}
	for left := b.N; left > 0; left -= 1000 {
		noError(b, sink.PublishBatch(b.Context(), feed.NewBatch(fill[:min(1000, left)]...)))
	}
	source := realSource(b, v.URL(), func(*SourceConfig) {})
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	sub, err := source.SubscribeBatch(b.Context(), "")
	noError(b, err)
	var ds []feed.Delivery
	var s []feed.Settlement
	batches := 0
	for n := 0; n < b.N; n += len(ds) {
		ds, err = sub.Receive(b.Context(), ds[:0], 1000)
		noError(b, err)
		s = s[:0]
		for _, d := range ds {
			s = append(s, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
		}
		noError(b, sub.Settle(b.Context(), s))
		batches++
	}
	used := cpuTime(b) - before
	b.StopTimer()
	reportCPU(b, used)
	b.ReportMetric(float64(b.N)/float64(batches), "msg/batch")
}

// BenchmarkSink publishes messages of 200 bytes to a quorum queue in batches
// of 1000.
func BenchmarkSink(b *testing.B) {
	v := testenv.RabbitMQ(b)
	p := newPublisher(b, v.URL())
	p.declare(b, "q", QueueQuorum)
	body := bytes.Repeat([]byte("x"), 200)
	sink := realSink(b, v.URL(), func(c *SinkConfig) { c.RoutingKey = "q" })
	fill := make([]*message.Message, 1000)
	for i := range fill {
		fill[i] = &message.Message{UUID: "0123456789", Payload: body, Metadata: message.Metadata{"site": "north"}}
	}
	noError(b, sink.Probe(b.Context()))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for left := b.N; left > 0; left -= 1000 {
		noError(b, sink.PublishBatch(b.Context(), feed.NewBatch(fill[:min(1000, left)]...)))
	}
	used := cpuTime(b) - before
	b.StopTimer()
	reportCPU(b, used)
}

// BenchmarkPlainClient is the client library alone, used well: what
// BenchmarkSource is to be compared with.
func BenchmarkPlainClient(b *testing.B) {
	v := testenv.RabbitMQ(b)
	p := newPublisher(b, v.URL())
	p.declare(b, "q", QueueQuorum)
	sink := realSink(b, v.URL(), func(c *SinkConfig) { c.RoutingKey = "q" })
	fill := make([]*message.Message, 1000)
	for i := range fill {
		fill[i] = &message.Message{UUID: "0123456789", Payload: bytes.Repeat([]byte("x"), 200), Metadata: message.Metadata{"site": "north"}}
	}
	for left := b.N; left > 0; left -= 1000 {
		noError(b, sink.PublishBatch(b.Context(), feed.NewBatch(fill[:min(1000, left)]...)))
	}
	noError(b, p.ch.Qos(4000, 0, false))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	in, err := p.ch.Consume("q", "", false, false, false, false, nil)
	noError(b, err)
	for n := 1; n <= b.N; n++ {
		d := <-in
		if n%500 == 0 || n == b.N {
			noError(b, d.Ack(true))
		}
	}
	used := cpuTime(b) - before
	b.StopTimer()
	reportCPU(b, used)
}
