package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Build makes the stages and returns what [feed.New] takes. Their constructors
// do no network I/O. The quarantine is not opened: the caller does that and
// sets it in the options. When a stage cannot be made, those that were made
// are closed and the error says where in the file it stands.
// The caller owns the stages until it hands them to feed.New.
func (c *Config) Build(logger *slog.Logger) (feed.Options, []feed.Route, error) {
	b := &builder{config: c, logger: logger}
	routes := make([]feed.Route, 0, len(c.Routes))
	for _, r := range c.Routes {
		route, err := b.route(r)
		if err != nil {
			return feed.Options{}, nil, errors.Join(append([]error{err}, b.close()...)...)
		}
		routes = append(routes, route)
	}
	return feed.Options{Name: c.Name, Logger: logger, DrainTimeout: c.DrainTimeout}, routes, nil
}

// CheckStages makes the stages and closes them, which finds what only their
// constructors see, such as a secret of the wrong form or a certificate that
// cannot be read. It does no network I/O. What is wrong is returned as one
// *[Error], the first problem of each route and of each comparison.
func (c *Config) CheckStages() error {
	b := &builder{config: c, logger: slog.New(slog.DiscardHandler)}
	var (
		ps   []Problem
		errs []error
	)
	collect := func(err error) {
		if e := (*Error)(nil); errors.As(err, &e) {
			ps = append(ps, e.Problems...)
		} else if err != nil {
			errs = append(errs, err)
		}
	}
	for _, r := range c.Routes {
		_, err := b.route(r)
		collect(err)
	}
	for i := range c.Validate.Observe {
		_, err := b.validation(&c.Validate.Observe[i])
		collect(err)
	}
	for i := range c.Validate.Repair.From {
		_, err := b.repairPlace(&c.Validate.Repair.From[i])
		collect(err)
	}
	errs = append(errs, b.close()...)
	if len(ps) > 0 {
		ps, more := byPosition(ps)
		errs = append([]error{&Error{Problems: ps, More: more}}, errs...)
	}
	return errors.Join(errs...)
}

// builder makes stages and remembers those to close.
type builder struct {
	config *Config
	logger *slog.Logger
	trial  bool // what is made runs in a test
	made   []io.Closer
}

// closer is a function that closes.
type closer func() error

func (c closer) Close() error { return c() }

func (b *builder) close() []error {
	var errs []error
	for _, m := range b.made {
		errs = append(errs, m.Close())
	}
	return errs
}

func (b *builder) route(r *Route) (feed.Route, error) {
	source, err := r.Source.factory.Source(r.Source.Config, b.env(r, r.Source))
	if err != nil {
		return feed.Route{}, b.failed(r.Source, err)
	}
	b.made = append(b.made, source)
	out, err := b.passage(r)
	out.Source, out.SourceName = source, r.Source.Name
	return out, err
}

// passage makes a route without its source.
func (b *builder) passage(r *Route) (feed.Route, error) {
	out := feed.Route{
		Name: r.Name, SinkName: r.Sink.name(), Order: r.Order,
		Batch: r.Batch, Retry: r.Retry, Park: r.Park, AllowLoss: r.AllowLoss, MaxHold: r.maxHold(),
		From: placeOf(r.reads()), To: placesOf(r.Sink),
	}
	var err error
	if out.Key, err = parseOrderKey(r.OrderKey); err != nil {
		return out, fmt.Errorf("route %s: orderKey %w", r.Name, err)
	}
	if out.Transforms, err = b.transforms(r); err != nil {
		return out, err
	}
	sinks := make([]message.Publisher, 0, len(r.Sink))
	for _, s := range r.Sink {
		sink, err := s.factory.Sink(s.Config, b.env(r, s))
		if err != nil {
			return out, b.failed(s, err)
		}
		b.made = append(b.made, sink)
		sinks = append(sinks, sink)
	}
	if out.Sink = sinks[0]; len(sinks) > 1 {
		out.Sink = feed.All(sinks...)
	}
	return out, nil
}

// placeOf says where a stage reads or writes: the first of its endpoints is the
// place itself, further ones are names of it.
func placeOf(endpoints []string) string {
	if len(endpoints) == 0 {
		return ""
	}
	return presentable(endpoints[0])
}

func placesOf(sinks Sinks) string {
	var places []string
	for i := range sinks {
		if p := placeOf(sinks[i].writes()); p != "" {
			places = append(places, p)
		}
	}
	return strings.Join(places, ", ")
}

func (b *builder) transforms(r *Route) ([]feed.Transform, error) {
	var made []feed.Transform
	for _, t := range r.Transforms {
		transform, err := t.factory.Transform(t.Config, b.env(r, t))
		if err != nil {
			return nil, b.failed(t, err)
		}
		if transform.Close != nil {
			b.made = append(b.made, closer(transform.Close))
		}
		made = append(made, transform)
	}
	return made, nil
}

func (b *builder) env(r *Route, s Stage) feed.StageEnv {
	return feed.StageEnv{Feed: b.config.Name, Route: r.Name, Logger: b.logger.With("route", r.Name, "stage", s.Name), Trial: b.trial}
}

// maxHold returns how long the route holds a delivery at most: twice what its
// limits and retries ask for, and less than its source's broker allows.
func (r *Route) maxHold() time.Duration {
	hold := max(10*time.Minute, 2*(r.Batch.MaxDelay+r.Retry.GiveBackAfter))
	if a, ok := r.Source.Config.(feed.AckTimeoutConfig); ok && a.AckTimeout() > 0 {
		hold = min(hold, nearTimeout(a.AckTimeout()))
	}
	return hold
}

// failed says where the stage stands that could not be made.
func (b *builder) failed(s Stage, err error) error {
	at, key, reason, remedy := s.key, s.path, err.Error(), ""
	var ce *feed.ConfigError
	if errors.As(err, &ce) {
		at, reason, remedy = s.at(ce.Key), ce.Problem, ce.Remedy
		key = stageKey(s.path, ce.Key)
	}
	return &Error{Problems: []Problem{{File: b.config.file, Line: at.Line, Column: at.Column, Key: key, Reason: reason, Remedy: remedy}}}
}

// name is what logs and metrics call the sink.
func (s Sinks) name() string {
	names := make([]string, len(s))
	for i := range s {
		names[i] = s[i].Name
	}
	return strings.Join(names, "+")
}
