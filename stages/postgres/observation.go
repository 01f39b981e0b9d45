package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/lifetime"
)

// Observation is what a [Sink] has stored, as a side of a validation. It is for
// concurrent use: each read has a connection of its own.
type Observation struct {
	config   Config
	identity string // as [validate.Traits] has it
	place    validate.Place
	costs    observationCosts

	lifetime *lifetime.Lifetime

	mu   sync.Mutex
	idle []*session // at most maxIdleSessions
}

var _ validate.Side = (*Observation)(nil)

// ErrObservationClosed is what Read of a closed [Observation] returns.
var ErrObservationClosed = errors.New("the postgres observation is closed")

// maxIdleSessions is how many connections are kept for further reads.
const maxIdleSessions = 2

type observationCosts struct{ requests, bytes, readings atomic.Int64 }

// NewObservation returns an observation. It does no network I/O, and fails with
// what [ObservationConfig.Validate] reports.
func NewObservation(c ObservationConfig, _ feed.StageEnv) (*Observation, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Observation{
		config: c.config(), identity: c.identity(), place: validate.Place{Object: c.Schema + ".points"},
		lifetime: lifetime.New(ErrObservationClosed),
	}, nil
}

// String returns the address of the database, and the schema.
func (o *Observation) String() string {
	return fmt.Sprintf("%s schema %s", o.config.URL, o.config.Schema)
}

// Traits implements [validate.Side].
func (o *Observation) Traits() validate.Traits {
	return validate.Traits{Selective: true, Unique: true, Identity: o.identity}
}

// Costs implements [validate.Side].
func (o *Observation) Costs() validate.Costs {
	return validate.Costs{Requests: o.costs.requests.Load(), Bytes: o.costs.bytes.Load(), Readings: o.costs.readings.Load()}
}

// Read implements [validate.Side]. It reads what was committed when it began, in a
// transaction that stays open until it returns; meanwhile no partition can be
// dropped. It blocks until all was handed out. take must not call Close.
func (o *Observation) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	ctx, done, err := o.lifetime.Begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	own := Query{Device: q.Device, Tag: q.Tag, From: q.From, To: q.To}
	first, last, ok := own.bounds()
	if !ok {
		return nil
	}
	x := &extraction{observation: o, query: own, first: first, last: last, take: take}
	if err := x.run(ctx); err != nil {
		if x.refused != nil {
			return x.refused // it is the caller's
		}
		return fmt.Errorf("read from %s: %w", o, explained(because(ctx, err)))
	}
	return nil
}

// bulk lets the planner choose: a read is long, and no page of an index. A plan is
// good that is fast as a whole, not at the begin.
const bulk = `SET enable_sort = on; SET enable_seqscan = on; SET enable_bitmapscan = on; SET cursor_tuple_fraction = 1`

// session returns a connection; used says that it has served before, so that the
// server may have ended it meanwhile.
func (o *Observation) session(ctx context.Context) (s *session, used bool, err error) {
	o.mu.Lock()
	if n := len(o.idle); n > 0 {
		s, o.idle = o.idle[n-1], o.idle[:n-1]
	}
	o.mu.Unlock()
	if s != nil {
		return s, true, nil
	}
	s, err = o.connect(ctx)
	return s, false, err
}

func (o *Observation) connect(ctx context.Context) (*session, error) {
	s, err := connect(ctx, &o.config, readOnly)
	if err != nil {
		return nil, err
	}
	err = s.checkSchema(ctx, o.config.Schema)
	if err == nil {
		_, err = s.conn.PgConn().Exec(ctx, bulk).ReadAll()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// put keeps a connection for another read, or closes it. It is called by reads, which
// Close waits for before it closes what is kept.
func (o *Observation) put(s *session) error {
	o.mu.Lock()
	keep := !s.broken() && len(o.idle) < maxIdleSessions
	if keep {
		o.idle = append(o.idle, s)
	}
	o.mu.Unlock()
	if keep {
		return nil
	}
	return s.close()
}

// Close cancels what is read, waits until it has ended, and closes the
// connections. Idempotent.
func (o *Observation) Close() error {
	o.lifetime.Close()
	o.mu.Lock()
	idle := o.idle
	o.idle = nil
	o.mu.Unlock()
	var errs []error
	for _, s := range idle {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
