package unbatch

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// Unbatch makes messages of batches. Its methods are for one goroutine at a time.
type Unbatch struct {
	codecs batch.Codecs
	limits batch.Limits
	memory *memory // nil without a cache
	logger *slog.Logger
	said   time.Time // when repeated batches were logged last

	readings []reading.Reading // used again
	splitter splitter
}

// NewUnbatch returns a transform. It does no I/O: the cache is opened when the
// first batch comes.
func NewUnbatch(c Config, env feed.StageEnv) (*Unbatch, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	u := &Unbatch{codecs: c.Codecs, limits: c.Limits.ofBatch(), logger: env.Logger}
	if u.codecs == nil {
		u.codecs = batch.All()
	}
	if u.logger == nil {
		u.logger = slog.Default()
	}
	if c.Cache.Path != "" {
		u.memory = newMemory(&cache{config: c.Cache})
	}
	return u, nil
}

// Transform returns the transform for a route.
func (u *Unbatch) Transform() feed.Transform {
	t := feed.Transform{Name: "unbatch", Func: u.Handle}
	if u.memory != nil {
		t.Settled, t.Close = u.Settled, u.Close
	}
	return t
}

// Handle makes a message of each reading of a batch. What can never be unpacked
// is a [feed.Permanent] error; an error of the cache is transient.
func (u *Unbatch) Handle(m *message.Message) ([]*message.Message, error) {
	b, err := batch.Parse(m.Payload, u.limits)
	if err != nil {
		return nil, feed.Permanent(err)
	}
	if u.memory != nil {
		if err := u.memory.check(&b.Envelope); err != nil {
			return nil, fmt.Errorf("batch %.80q/%d: %w", b.Device, b.Sequence, err)
		}
	}
	rs, err := b.Decode(u.codecs, u.readings[:0], u.limits)
	if err != nil {
		return nil, feed.Permanent(fmt.Errorf("batch %.80q/%d: %w", b.Device, b.Sequence, err))
	}
	msgs, err := u.splitter.split(m, &b.Envelope, rs, u.limits.MaxBytes)
	u.keep(rs)
	if err != nil {
		return nil, feed.Permanent(fmt.Errorf("batch %.80q/%d: %w", b.Device, b.Sequence, err))
	}
	if u.memory != nil {
		u.memory.started(&b.Envelope)
	}
	return msgs, nil
}

// keptReadings bounds the readings whose memory is kept for the next batch.
const keptReadings = 16_384

// keep keeps the memory of readings, but not what they hold.
func (u *Unbatch) keep(rs []reading.Reading) {
	clear(rs)
	u.readings = nil
	if cap(rs) <= keptReadings {
		u.readings = rs
	}
}

// Settled remembers the batches that were delivered.
func (u *Unbatch) Settled(ended []feed.Settled) {
	for _, s := range ended {
		e, err := batch.ParseEnvelope(s.Message.Payload)
		if err != nil {
			u.logger.Error("a batch that was delivered cannot be remembered: an earlier transform has changed its payload", "error", err)
			continue
		}
		u.memory.ended(&e, s.Outcome == feed.Delivered)
	}
	if err := u.memory.write(); err != nil {
		u.logger.Warn("batches that were delivered cannot be remembered yet; none is taken until they can", "error", err)
	}
	if time.Since(u.said) >= time.Minute {
		u.sayRepeated()
	}
}

// sayRepeated logs how many batches came again since it last did.
func (u *Unbatch) sayRepeated() {
	if n := u.memory.takeRepeated(); n > 0 {
		u.said = time.Now()
		u.logger.Info("batches came again that had been delivered: their messages have the same ids", "batches", n)
	}
}

// Close writes what is still to be remembered, and closes the cache. Idempotent.
func (u *Unbatch) Close() error {
	if u.memory == nil {
		return nil
	}
	u.sayRepeated()
	return u.memory.close()
}
