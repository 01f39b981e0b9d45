package unbatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// Unbatch makes messages of batches. Its methods are for one goroutine at a time.
type Unbatch struct {
	codecs batch.Codecs
	made   []batch.Instance // those of the configuration
	limits batch.Limits
	memory *memory // nil without a cache
	logger *slog.Logger
	events *feed.EventCounts

	unavailable string // a codec that could not do its work, and has done none since

	readings []reading.Reading // used again
	splitter splitter
}

// NewUnbatch returns a transform. It does no I/O: the cache is opened when the
// first batch comes.
func NewUnbatch(c Config, env feed.StageEnv) (*Unbatch, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	u := &Unbatch{
		limits: c.Limits.ofBatch(), logger: env.Logger,
		events: feed.NewEventCounts(eventCorrupt, eventRepeated, eventConflict, eventHeldBack),
	}
	for i, named := range c.Codecs {
		codec, err := batch.NewCodec(named.Factory, named.Config, env)
		if err != nil {
			return nil, errors.Join(named.Failed(fmt.Sprintf("codecs[%d]", i), err), u.closeCodecs())
		}
		u.codecs, u.made = append(u.codecs, codec), append(u.made, codec)
	}
	u.codecs = append(u.codecs, batch.All()...)
	if u.logger == nil {
		u.logger = slog.Default()
	}
	switch {
	case c.Cache.Path == "":
	case env.Trial:
		u.memory = newMemory(passing{})
	default:
		u.memory = newMemory(&cache{config: c.Cache})
	}
	return u, nil
}

// Transform returns the transform for a route.
func (u *Unbatch) Transform() feed.Transform {
	t := feed.Transform{Name: "unbatch", Func: u.Handle, Events: u.events.Events, Close: u.Close, Probe: u.Probe}
	if u.memory != nil {
		t.Settled = u.Settled
	}
	return t
}

// What the stage counts.
const (
	eventCorrupt  = "batch_corrupt"   // it is not whole, or costs too much
	eventRepeated = "batch_repeated"  // it was delivered before
	eventConflict = "batch_conflict"  // another was delivered, or is in flight
	eventHeldBack = "batch_held_back" // tries at one while the cache or its codec fails
)

// Handle makes a message of each reading of a batch. What can never be unpacked
// is a [feed.Permanent] error; an error of the cache, or of a codec that could not
// do its work, is transient.
func (u *Unbatch) Handle(m *message.Message) ([]*message.Message, error) {
	b, err := batch.Parse(m.Payload, u.limits)
	if err != nil {
		u.events.Add(eventCorrupt, 1)
		return nil, feed.Permanent(err)
	}
	if u.memory != nil {
		if err := u.check(&b.Envelope); err != nil {
			return nil, named(&b, err)
		}
	}
	msgs, err := u.unpack(m, &b)
	var unavailable *batch.Unavailable
	switch {
	case errors.As(err, &unavailable):
		u.unavailable = b.Codec
		u.events.Add(eventHeldBack, 1)
		return nil, named(&b, fmt.Errorf("codec %s: %w", b.Codec, err))
	case err != nil:
		u.events.Add(eventCorrupt, 1)
		return nil, feed.Permanent(named(&b, err))
	case b.Codec == u.unavailable:
		u.unavailable = ""
	}
	if u.memory != nil {
		u.memory.started(&b.Envelope)
	}
	return msgs, nil
}

// Probe asks the codec that could not do its work whether it could now.
func (u *Unbatch) Probe(ctx context.Context) error {
	for _, codec := range u.made {
		if codec.Name() != u.unavailable {
			continue
		}
		if err := codec.Probe(ctx); err != nil {
			return fmt.Errorf("codec %s: %w", u.unavailable, err)
		}
	}
	u.unavailable = ""
	return nil
}

// named says of which batch an error is.
func named(b *batch.Batch, err error) error {
	return fmt.Errorf("batch %.80q/%d: %w", b.Device, b.Sequence, err)
}

// check compares a batch with what is known of others.
func (u *Unbatch) check(e *batch.Envelope) error {
	repeated, err := u.memory.check(e)
	switch {
	case feed.IsPermanent(err):
		u.events.Add(eventConflict, 1)
	case err != nil:
		u.events.Add(eventHeldBack, 1)
	case repeated:
		u.events.Add(eventRepeated, 1)
	}
	return err
}

func (u *Unbatch) unpack(m *message.Message, b *batch.Batch) ([]*message.Message, error) {
	rs, err := b.Decode(u.codecs, u.readings[:0], u.limits)
	if err != nil {
		clear(u.readings[:cap(u.readings)]) // what was decoded before the error
		return nil, err
	}
	defer u.keep(rs)
	return u.splitter.split(m, &b.Envelope, rs, u.limits.MaxBytes)
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
			u.logger.Error("a batch that has ended cannot be remembered: its payload is another than it was", "error", err)
			continue
		}
		u.memory.ended(&e, s.Outcome == feed.Delivered)
	}
	if err := u.memory.write(); err != nil {
		u.logger.Warn("batches that were delivered cannot be remembered yet; none is taken until they can", "error", err)
	}
}

// Close writes what is still to be remembered, and closes the cache. Idempotent.
func (u *Unbatch) Close() error {
	err := u.closeCodecs()
	if u.memory != nil {
		err = errors.Join(u.memory.close(), err)
	}
	return err
}

func (u *Unbatch) closeCodecs() error {
	var errs []error
	for _, codec := range u.made {
		errs = append(errs, codec.Close())
	}
	u.made = nil
	return errors.Join(errs...)
}
