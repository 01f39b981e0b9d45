package generate

import (
	"io"
	"strconv"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/maker"
)

// ErrClosed is returned by a source or subscription that was closed.
var ErrClosed = maker.ErrClosed

// Source hands out the readings of a [Generator]. It is safe for concurrent
// use.
type Source struct{ *maker.Source }

// NewSource returns a source. It fails with what [Config.Validate] reports.
func NewSource(c Config, _ feed.StageEnv) (*Source, error) {
	g, err := NewGenerator(c)
	if err != nil {
		return nil, err
	}
	about := maker.Description{Format: Format, Origin: "generator of site " + c.Site, Window: c.WindowSize}
	return &Source{maker.NewSource(about, &making{config: c, generator: g})}, nil
}

// making makes messages of readings, as they are due.
type making struct {
	config    Config
	generator *Generator
	made      int64
	firstDue  time.Time // of the readings; zero before the first are asked for
}

// chunkBytes is how much memory is allocated at a time for payloads.
const chunkBytes = 64 << 10

// contentType is that of all readings.
const contentType = "application/json"

// Make implements [maker.Making].
func (m *making) Make(dst []maker.Item, n int) ([]maker.Item, time.Duration, error) {
	if m.config.Count > 0 && m.made == m.config.Count {
		return dst, 0, io.EOF
	}
	due, wait := m.due()
	n = int(min(int64(n), due))
	size := max(m.config.PayloadBytes, 200) // of a payload, more or less
	chunk := make([]byte, 0, max(size, min(n*size, chunkBytes)))
	for range n {
		reading := m.generator.Next()
		start := len(chunk)
		chunk = AppendJSON(chunk, &reading, m.config.PayloadBytes)
		dst = append(dst, maker.Item{
			ID:          reading.Device + "-" + strconv.FormatUint(reading.Seq, 10),
			Topic:       routingKey(&reading),
			Time:        reading.At().Format(time.RFC3339Nano),
			ContentType: contentType,
			Payload:     chunk[start:len(chunk):len(chunk)],
		})
		if cap(chunk)-len(chunk) < len(chunk)-start {
			chunk = make([]byte, 0, cap(chunk)) // payloads must not move
		}
	}
	m.made += int64(n)
	return dst, wait, nil
}

// due returns how many readings are due and not yet made, and how long until
// the next one is.
func (m *making) due() (n int64, wait time.Duration) {
	n = int64(maxWindow)
	if m.config.Rate > 0 {
		now := time.Now()
		if m.firstDue.IsZero() {
			m.firstDue = now
		}
		elapsed, rate := now.Sub(m.firstDue), int64(m.config.Rate)
		seconds, rest := int64(elapsed/time.Second), elapsed%time.Second
		n = seconds*rate + int64(rest)*rate/int64(time.Second) + 1 - m.made
		if n <= 0 {
			n = 0
			next := time.Duration(m.made/rate)*time.Second + (time.Duration(m.made%rate)*time.Second+time.Duration(rate)-1)/time.Duration(rate)
			wait = max(next-elapsed, time.Nanosecond)
		}
	}
	if m.config.Count > 0 {
		n = min(n, m.config.Count-m.made)
	}
	return n, wait
}
