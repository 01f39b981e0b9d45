package host

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
)

// factory returns the factory of a stage of a plugin, or of one that nobody is known
// to have: of is nil.
func (h *Host) factory(k feed.Kind, name string, of *served) feed.Factory {
	summary := "Is not there yet."
	if of != nil {
		summary = of.Summary
	}
	all := endpoints{settings{host: h, kind: k, name: name, of: of, document: []byte("{}"), unasked: of == nil}}
	switch k {
	case feed.KindSource:
		return feed.SourceFactory(name, summary, func() sourceSettings { return sourceSettings{all} },
			func(c sourceSettings, env feed.StageEnv) (message.Subscriber, error) {
				build := func(s settings) (*remote.Source, error) { return s.of.plugin.Source(name, s.document, env), nil }
				if c.unasked {
					return &lateSource{late[*remote.Source]{of: c.settings, make: build}}, nil
				}
				return build(c.settings)
			})
	case feed.KindSink:
		return feed.SinkFactory(name, summary, func() sinkSettings { return sinkSettings{all} },
			func(c sinkSettings, env feed.StageEnv) (message.Publisher, error) {
				build := func(s settings) (*remote.Sink, error) {
					return s.of.plugin.Sink(name, s.document, env, !s.use.GetNotDurable()), nil
				}
				if c.unasked {
					return &lateSink{late[*remote.Sink]{of: c.settings, make: build}}, nil
				}
				return build(c.settings)
			})
	case feed.KindTransform:
		return feed.TransformFactory(name, summary, func() transformSettings { return transformSettings{all} },
			func(c transformSettings, env feed.StageEnv) (feed.Transform, error) {
				build := func(s settings) (closingTransform, error) {
					return closingTransform{s.of.plugin.Transform(name, s.document, env)}, nil
				}
				if c.unasked {
					return (&lateTransform{late[closingTransform]{of: c.settings, make: build}}).transform(), nil
				}
				t, err := build(c.settings)
				return t.Transform, err
			})
	case feed.KindExpectation:
		return validate.ExpectationFactory(name, summary, func() sideSettings { return sideSettings{all} },
			func(c sideSettings, env feed.StageEnv) (validate.Expectation, error) {
				if c.unasked { // it is made with a connection, and cannot be made late
					if err := c.askLate(context.Background()); err != nil {
						return nil, err
					}
				}
				ctx, cancel := context.WithTimeout(context.Background(), c.of.supervisor.program.limits.timeout)
				defer cancel()
				return c.of.plugin.Expectation(ctx, name, c.document, env)
			})
	case feed.KindCodec:
		return batch.Factory(name, summary, func() sideSettings { return sideSettings{all} },
			func(c sideSettings, env feed.StageEnv) (batch.Codec, error) {
				build := func(s settings) (*remote.Codec, error) { return s.of.plugin.Codec(name, s.document, env), nil }
				if c.unasked {
					return &lateCodec{late[*remote.Codec]{of: c.settings, make: build}}, nil
				}
				return build(c.settings)
			})
	}
	panic(fmt.Sprintf("a stage of kind %s has passed the check of what is known", k))
}
