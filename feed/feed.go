package feed

import (
	"context"
	"errors"
	"log/slog"
	"time"

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
type Feed struct{}

// New checks the routes and returns a feed of them. It does no I/O. From then
// on the feed owns the stages: Run closes them.
func New(opts Options, routes ...Route) (*Feed, error) { panic("under construction") }

// Run runs the feed until ctx ends, or until every source has said io.EOF.
// When ctx ends it drains: it stops consuming, finishes what is in flight
// within the drain timeout, settles, and closes sources and sinks. It returns
// nil after a clean stop, ErrDrainDeadline when something had to be given
// back, and an error when a route cannot work at all. A feed runs once.
func (f *Feed) Run(ctx context.Context) error { panic("under construction") }

// Status returns a snapshot. Safe for concurrent use, also before and after
// Run.
func (f *Feed) Status() Status { panic("under construction") }
