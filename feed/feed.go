package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Options are what the routes of a feed share.
type Options struct {
	// Name identifies the feed in logs and metrics. Empty: "feed".
	Name string
	// Logger is slog.Default() when nil.
	Logger *slog.Logger
	// Quarantine keeps what can never be delivered. When nil, the first such
	// message pauses its route.
	Quarantine Quarantine
	// Ledger is told what became of each message; nil: nobody is.
	Ledger Ledger
	// Tracer follows some of the deliveries; nil: nobody does.
	Tracer Tracer
	// DrainTimeout is how long a stopping feed finishes what is in flight
	// before it gives it back; 20 s when zero.
	DrainTimeout time.Duration
	// Middleware wraps the handler of each batch, as in a Watermill router.
	// It sees one carrier message per batch, not the messages.
	Middleware []message.HandlerMiddleware
}

// ErrDrainDeadline is returned by [Feed.Run] when the drain timeout passed
// before all was settled. Nothing is lost: the rest went back to its source.
var ErrDrainDeadline = errors.New("drain deadline passed with messages in flight: they were given back to their source")

// Feed runs routes.
type Feed struct {
	opts    Options
	created time.Time
	runners []*runner
	ran     atomic.Bool
}

// New checks the routes and returns a feed of them. It does no I/O. From then
// on the feed owns the stages: Run closes them.
func New(opts Options, routes ...Route) (*Feed, error) {
	setDefault(&opts.Name, "feed")
	setDefault(&opts.Logger, slog.Default())
	setDefault(&opts.DrainTimeout, 20*time.Second)
	f := &Feed{opts: opts, created: time.Now()}
	var errs []error
	if len(routes) == 0 {
		errs = append(errs, errors.New("a feed needs at least one route"))
	}
	names := map[string]bool{}
	for _, r := range routes {
		runner := newRunner(r, opts)
		errs = append(errs, runner.Route.validate())
		if names[r.Name] {
			errs = append(errs, fmt.Errorf("two routes are named %q", r.Name))
		}
		names[r.Name] = true
		f.runners = append(f.runners, runner)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return f, nil
}

// Run runs the feed until ctx ends, or until every source has said io.EOF.
// When ctx ends it drains: it stops consuming, finishes what is in flight
// within the drain timeout, settles, and closes all stages. It returns
// nil after a clean stop, ErrDrainDeadline when something had to be given
// back, and an error when a route cannot work at all; the other routes are
// then drained first. A feed runs once.
func (f *Feed) Run(ctx context.Context) error {
	if f.ran.Swap(true) {
		return errors.New("a feed runs only once")
	}
	soft, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	hard, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()

	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: f.opts.DrainTimeout}, routerLogger(f.opts.Logger))
	if err != nil {
		return fmt.Errorf("router: %w", err)
	}
	router.AddMiddleware(f.opts.Middleware...)
	var loops sync.WaitGroup
	for _, r := range f.runners {
		r.soft, r.hard = soft, hard
		router.AddConsumerHandler(r.Name, r.Name, r.carrier, handleTurn)
		loops.Go(func() {
			if err := r.loop(); err != nil {
				stop(err)
			}
		})
	}
	drained := make(chan struct{})
	var deadline sync.WaitGroup
	deadline.Go(func() {
		select {
		case <-soft.Done():
		case <-drained:
			return
		}
		sleepUntilDrained(f.opts.DrainTimeout, drained)
		abandon()
	})
	ended := make(chan error, 1)
	go func() {
		// The router ends by itself when every route's loop has ended.
		err := router.Run(hard)
		loops.Wait()
		err = errors.Join(err, f.closeStages())
		close(drained)
		ended <- err
	}()
	overdue := make(chan struct{})
	cancel := context.AfterFunc(hard, func() { time.AfterFunc(stageGrace, func() { close(overdue) }) })
	defer cancel()
	var errs []error
	select {
	case err := <-ended:
		deadline.Wait()
		errs = append(errs, err)
	case <-overdue:
		// A stage ignores its context, and a plain one has none. Everything
		// that it holds comes again.
		return fmt.Errorf("%w; a stage did not return within %v after that", ErrDrainDeadline, stageGrace)
	}
	if cause := context.Cause(soft); cause != nil && ctx.Err() == nil {
		errs = append(errs, cause)
	}
	for _, r := range f.runners {
		if r.abandoned.Load() {
			errs = append(errs, ErrDrainDeadline)
			break
		}
	}
	return errors.Join(errs...)
}

// stageGrace is how long stages may take to return after the drain deadline.
const stageGrace = 5 * time.Second

func sleepUntilDrained(d time.Duration, drained <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-drained:
	}
}

// closeStages closes sources first: a sink must outlive what feeds it.
func (f *Feed) closeStages() error {
	var errs []error
	for _, r := range f.runners {
		if err := r.Source.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close source of route %s: %w", r.Name, err))
		}
	}
	for _, r := range f.runners {
		errs = append(errs, r.closeTransforms())
		if err := r.Sink.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close sink of route %s: %w", r.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Status returns a snapshot. Safe for concurrent use, also before and after
// Run.
func (f *Feed) Status() Status {
	s := Status{Feed: f.opts.Name, Started: f.created, Ready: true}
	for _, r := range f.runners {
		rs := r.status()
		s.Ready = s.Ready && rs.Ready
		s.Routes = append(s.Routes, rs)
	}
	return s
}

// routerLogger passes on what Watermill's router logs as debug messages: the
// route reports each failure itself, once.
func routerLogger(l *slog.Logger) watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(l, map[slog.Level]slog.Level{
		slog.LevelInfo:  slog.LevelDebug,
		slog.LevelError: slog.LevelDebug,
	})
}
