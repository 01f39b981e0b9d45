package feedtest

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Sink is an in-memory sink that keeps what it takes and fails on command.
// Safe for concurrent use.
type Sink struct {
	// Take decides about each batch before it is kept; nil takes everything.
	// Messages that the returned *feed.BatchError lists are not kept. Any
	// other error keeps the first Kept messages: what a sink with an unknown
	// outcome really did. Set it before use.
	Take func(ctx context.Context, b *feed.Batch) (kept int, err error)
	// Check answers Probe; nil always succeeds.
	Check func(ctx context.Context) error

	mu      sync.Mutex
	changed chan struct{}
	taken   []string
	batches [][]string
	misuse  []error
	busy    bool
	closed  bool
}

// PublishBatch implements [feed.BatchPublisher].
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	s.mu.Lock()
	if s.busy {
		s.misuse = append(s.misuse, errors.New("PublishBatch was called while another call was running"))
	}
	if s.closed {
		s.misuse = append(s.misuse, errors.New("PublishBatch was called after Close"))
	}
	if len(b.Messages) == 0 {
		s.misuse = append(s.misuse, errors.New("PublishBatch was called with an empty batch"))
	}
	s.busy = true
	s.mu.Unlock()

	kept, err := len(b.Messages), error(nil)
	if s.Take != nil {
		kept, err = s.Take(ctx, b)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	var batch []string
	var failed *feed.BatchError
	switch {
	case errors.As(err, &failed):
		next := 0
		for i, m := range b.Messages {
			if next < len(failed.Failures) && failed.Failures[next].Index == i {
				next++
				continue
			}
			batch = append(batch, string(m.Payload))
		}
	case err != nil:
		for _, m := range b.Messages[:min(kept, len(b.Messages))] {
			batch = append(batch, string(m.Payload))
		}
	default:
		for _, m := range b.Messages {
			batch = append(batch, string(m.Payload))
		}
	}
	s.taken = append(s.taken, batch...)
	s.batches = append(s.batches, batch)
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
	return err
}

// Publish implements [message.Publisher].
func (s *Sink) Publish(topic string, msgs ...*message.Message) error {
	for _, m := range msgs {
		feed.SetTopic(m, topic)
	}
	return s.PublishBatch(context.Background(), feed.NewBatch(msgs...))
}

// Probe implements [feed.Prober].
func (s *Sink) Probe(ctx context.Context) error {
	if s.Check == nil {
		return nil
	}
	return s.Check(ctx)
}

// Close marks the sink as closed.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Taken returns the payloads of all messages that were kept, in order.
func (s *Sink) Taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.taken...)
}

// Batches returns the payloads that were kept, by call.
func (s *Sink) Batches() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]string(nil), s.batches...)
}

// Wait blocks until the sink has kept n messages or ctx ends.
func (s *Sink) Wait(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		if len(s.taken) >= n {
			s.mu.Unlock()
			return nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Misuse returns how the sink was used against the contract.
func (s *Sink) Misuse() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.misuse...)
}
