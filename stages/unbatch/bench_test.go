package unbatch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// walk returns readings as a press may send them: eight tags, ten times a second,
// with two digits behind the point.
func walk(n int) []reading.Reading {
	random := rand.New(rand.NewPCG(1, 2))
	tags := [...]string{"temperature", "pressure", "speed", "current", "vibration", "torque", "flow", "level"}
	values := [len(tags)]float64{}
	rs := make([]reading.Reading, n)
	for i := range rs {
		tag := i % len(tags)
		values[tag] += random.NormFloat64() / 5
		rs[i] = reading.Reading{
			Site: "plant1", Line: "line2", Device: "device0007", Tag: tags[tag], Time: 1_795_230_245_000_000_000 + int64(i/len(tags))*100e6,
			Value: reading.OfFloat(math.Round((50+values[tag])*100) / 100), Quality: "good", Seq: 123_456 + uint64(i),
		}
	}
	return rs
}

const perBatch = 1000

// BenchmarkHandle unpacks batches of 1,000 readings, without and with a cache.
func BenchmarkHandle(b *testing.B) {
	for _, c := range batch.All() {
		b.Run(c.Name(), func(b *testing.B) { benchmarkHandle(b, c, nil) })
	}
	b.Run("json+gzip, cache", func(b *testing.B) { benchmarkHandle(b, batch.JSONGzip(), withCache(b)) })
}

func benchmarkHandle(b *testing.B, c batch.Codec, edit func(*Config)) {
	u := newUnbatch(b, edit)
	rs := walk(perBatch)
	frames := make([][]byte, 100)
	for i := range frames {
		frames[i] = frame(b, c, uint64(i), rs)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m := &message.Message{Payload: frames[i%len(frames)]}
		if _, err := u.Handle(m); err != nil {
			b.Fatal(err)
		}
		if u.memory != nil {
			u.Settled([]feed.Settled{{Message: m, Outcome: feed.Delivered}})
		}
		i++
	}
	perReading(b)
}

func perReading(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perBatch, "ns/reading")
}

// BenchmarkPlainLoop is what one would write at first: the standard library's
// gzip and JSON, a message for each line, without envelope, checksum or check.
func BenchmarkPlainLoop(b *testing.B) {
	var text, packed bytes.Buffer
	rs := walk(perBatch)
	for i := range rs {
		text.Write(append(rs[i].AppendJSON(nil), '\n'))
	}
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text.Bytes()); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if msgs, err := plainLoop(packed.Bytes()); err != nil || len(msgs) != perBatch {
			b.Fatal(len(msgs), err)
		}
	}
	perReading(b)
}

// plainReading is a reading as encoding/json reads it.
type plainReading struct {
	Site    string    `json:"site"`
	Line    string    `json:"line"`
	Device  string    `json:"device"`
	Tag     string    `json:"tag"`
	Time    time.Time `json:"ts"`
	Value   any       `json:"value"`
	Quality string    `json:"quality"`
	Seq     uint64    `json:"seq"`
}

func plainLoop(packed []byte) ([]*message.Message, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(z)
	var msgs []*message.Message
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return msgs, nil
		}
		if err != nil {
			return nil, err
		}
		var r plainReading
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, err
		}
		payload, err := json.Marshal(&r)
		if err != nil {
			return nil, err
		}
		m := message.NewMessage(fmt.Sprintf("%s/%d", r.Device, len(msgs)), payload)
		m.Metadata.Set(feed.MetaTopic, "telemetry."+r.Site+"."+r.Line+"."+r.Device+"."+r.Tag)
		m.Metadata.Set(feed.MetaTime, r.Time.Format(time.RFC3339Nano))
		m.Metadata.Set(feed.MetaContentType, "application/json")
		msgs = append(msgs, m)
	}
}
