package blob

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/lifetime"
)

// A request to a server that fails for a passing reason is made again.
const (
	mostTries  = 5
	firstDelay = 250 * time.Millisecond // doubles each time
)

var errObservationClosed = errors.New("blob: the observation is closed")

// Observation reads the readings that objects hold. It implements
// [validate.Side].
type Observation struct {
	cfg      ObservationConfig
	archive  archive
	names    *nameFilter  // nil without a path
	columns  tableColumns // of Parquet
	memory   memory
	where    string
	identity string // as [validate.Traits] has it
	tries    int
	lifetime *lifetime.Lifetime

	retries, objects, bytes, readings atomic.Int64
}

var _ validate.Side = (*Observation)(nil)

// NewObservation returns an observation. It reads secrets and certificates from
// their files and does no network I/O.
func NewObservation(cfg ObservationConfig, _ feed.StageEnv) (*Observation, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	access := cfg.access()
	a, err := newArchive(access)
	if err != nil {
		return nil, err
	}
	p, err := access.place()
	if err != nil {
		return nil, err
	}
	o := &Observation{
		cfg: cfg, archive: a, memory: newMemory(int64(cfg.Memory)), where: p.String(), identity: cfg.identity(p), tries: mostTries,
		lifetime: lifetime.New(errObservationClosed),
	}
	if p.dir != "" {
		o.tries = 1 // what fails there does not pass by itself
	}
	o.columns = sinkColumns
	if cfg.Layout != LayoutFeed {
		o.columns = cfg.Columns.table()
	}
	if cfg.Path != "" {
		if o.names, err = newNameFilter(&cfg); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// String names the place, and which objects in it are looked at.
func (o *Observation) String() string {
	s := o.where
	if o.cfg.Prefix != "" {
		s += "/" + o.cfg.Prefix
	}
	switch {
	case o.names != nil && o.names.dated():
		s += fmt.Sprintf(" (objects of path %s, filed up to %s from the time)", o.cfg.Path, o.cfg.Slack)
	case o.names != nil:
		s += fmt.Sprintf(" (objects of path %s)", o.cfg.Path)
	case o.cfg.Layout != LayoutFeed:
		s += fmt.Sprintf(" (%s)", o.cfg.Layout)
	}
	return s
}

// Traits implements [validate.Side].
func (o *Observation) Traits() validate.Traits {
	t := o.cfg.traits()
	t.Ordered = o.names != nil && o.names.ordered()
	t.Identity = o.identity
	return t
}

// Costs implements [validate.Side].
func (o *Observation) Costs() validate.Costs {
	return validate.Costs{
		Requests: o.archive.asked(), Retries: o.retries.Load(), Objects: o.objects.Load(),
		Bytes: o.bytes.Load(), Readings: o.readings.Load(),
	}
}

// Close ends what reads, and waits for it.
func (o *Observation) Close() error {
	o.lifetime.Close()
	o.archive.close()
	return nil
}

// Read implements [validate.Side]. Objects are read a few at a time; where the
// traits say that readings are ordered, one after the other.
func (o *Observation) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	ctx, done, err := o.lifetime.Begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	sel, ok := newSelection(q)
	if !ok {
		return context.Cause(ctx)
	}
	workers := o.cfg.Parallel
	if o.Traits().Ordered {
		workers = 1
	}
	// The first error of any ends all; it is the one that is returned.
	g, gctx := errgroup.WithContext(ctx)
	found := make(chan target)
	h := &handover{take: take, ctx: gctx, readings: &o.readings}
	g.Go(func() error {
		defer close(found)
		return o.find(gctx, sel, h, found)
	})
	for range workers {
		g.Go(func() error {
			w := newWorker(o, sel, h)
			defer w.release()
			for t := range found {
				if err := w.read(gctx, t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	if cause := context.Cause(ctx); cause != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return cause
	}
	return err
}

// handover calls take for all workers, one call at a time, and never again after
// it has failed or the read has ended.
type handover struct {
	mu       sync.Mutex
	ctx      context.Context
	take     func(validate.Page) error
	readings *atomic.Int64
	err      error
}

func (h *handover) page(p validate.Page) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = h.ctx.Err()
	}
	if h.err != nil {
		return h.err
	}
	h.readings.Add(int64(len(p.Records)))
	h.err = h.take(p)
	return h.err
}

// failed returns what keeps pages from being handed out.
func (h *handover) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// try makes a request, again when it fails for a reason that may pass.
func (o *Observation) try(ctx context.Context, request func() error) error {
	delay := firstDelay
	for n := 1; ; n++ {
		err := request()
		if err == nil || n >= o.tries || !passing(err) {
			return err
		}
		o.retries.Add(1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay/2 + rand.N(delay/2)):
		}
		delay *= 2
	}
}

// passing reports whether an error is of the kind that a further try may not meet.
func passing(err error) bool {
	var se *storeError
	return errors.As(err, &se) && (se.failure == failUnknown || se.failure == failUnavailable)
}

// readAt fills p with the bytes of an object.
func (o *Observation) readAt(ctx context.Context, obj Object, p []byte, off int64) error {
	err := o.try(ctx, func() error { return o.archive.readAt(ctx, obj, p, off) })
	if err == nil {
		o.bytes.Add(int64(len(p)))
	}
	return err
}
