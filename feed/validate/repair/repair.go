package repair

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Repair sends missing readings.
type Repair struct {
	Missing *Missing
	// Known says what readings are known by, see [validate.Job.KnownBy].
	Known func(*reading.Reading) validate.Known
	// DryRun sends nothing, and counts what would be sent.
	DryRun bool
	// Options are those of the feed that a place runs in. What is refused goes to its
	// quarantine: one that keeps nothing suffices, for the place has it.
	Options feed.Options
	// Note, when not nil, is told what became of readings that a place had. Its error
	// ends the repair.
	Note func(place string, known []validate.Known, fate Fate) error
}

// Found says what a place had.
type Found struct {
	Place   string
	Sent    int64 // or would be
	Refused int64 // by the route
	Strange int64 // messages that the route made, and are no readings
}

// From sends what a place has of what is missing, and blocks until that is done or
// ctx ends. The route is the one to send through: its source is the place. From
// closes its stages, but not what the source reads from. In a dry run its sink gets
// nothing.
func (r *Repair) From(ctx context.Context, place string, route feed.Route, source feed.BatchSubscriber) (Found, error) {
	found := Found{Place: place}
	var mu sync.Mutex
	s := newSieve(place, source)
	s.missing, s.known, s.dry = r.Missing, r.Known, r.DryRun
	s.settled = func(ctx context.Context, ks []validate.Known, f Fate) error {
		if err := r.Missing.settle(ctx, place, ks, f); err != nil {
			return err
		}
		mu.Lock()
		if f == Sent {
			found.Sent += int64(len(ks))
		} else {
			found.Refused += int64(len(ks))
		}
		mu.Unlock()
		if r.Note == nil {
			return nil
		}
		return r.Note(place, ks, f)
	}
	if r.DryRun {
		if err := route.Sink.Close(); err != nil {
			return found, errors.Join(err, closeTransforms(route.Transforms))
		}
		route.Sink = discard{}
	}
	route.Source, route.SourceName, route.Transforms = s, place, s.around(route.Transforms)
	s.ledger = r.Options.Ledger
	options := r.Options
	options.Ledger = s
	f, err := feed.New(options, route)
	if err != nil {
		return found, errors.Join(err, route.Close())
	}
	err = f.Run(ctx)
	if failed := s.failure(); failed != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", place, failed))
	}
	mu.Lock()
	defer mu.Unlock()
	found.Strange = s.strange
	return found, errors.Join(err, ctx.Err())
}

func closeTransforms(ts []feed.Transform) error {
	var errs []error
	for _, t := range ts {
		if t.Close != nil {
			errs = append(errs, t.Close())
		}
	}
	return errors.Join(errs...)
}

// discard takes everything, and keeps nothing.
type discard struct{}

// Publish implements [message.Publisher].
func (discard) Publish(string, ...*message.Message) error { return nil }

// PublishBatch implements [feed.BatchPublisher].
func (discard) PublishBatch(context.Context, *feed.Batch) error { return nil }

// Close implements [message.Publisher].
func (discard) Close() error { return nil }
