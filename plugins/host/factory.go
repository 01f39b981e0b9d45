package host

import (
	"context"
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// served is a stage of a plugin that is supervised.
type served struct {
	stage
	supervisor *supervisor
	plugin     *remote.Plugin
}

// factories returns the factories of the stages of a plugin.
func (p *plugin) factories() []feed.Factory {
	l := p.supervisor.program.limits
	over := remote.New(p.name, p.supervisor, remote.Limits{Timeout: l.timeout, MessageBytes: l.messageBytes})
	var all []feed.Factory
	for _, s := range p.described.stages {
		all = append(all, (&served{s, p.supervisor, over}).factory())
	}
	return all
}

// factory returns the factory of the stage.
func (s *served) factory() feed.Factory {
	settings := endpoints{settings{of: s, document: []byte("{}")}}
	switch s.Kind {
	case feed.KindSource:
		return feed.SourceFactory(s.Name, s.Summary, func() sourceSettings { return sourceSettings{settings} },
			func(c sourceSettings, env feed.StageEnv) (*remote.Source, error) {
				return s.plugin.Source(s.Name, c.document, env), nil
			})
	case feed.KindSink:
		return feed.SinkFactory(s.Name, s.Summary, func() sinkSettings { return sinkSettings{settings} },
			func(c sinkSettings, env feed.StageEnv) (*remote.Sink, error) {
				return s.plugin.Sink(s.Name, c.document, env, c.Durable()), nil
			})
	case feed.KindTransform:
		return feed.TransformFactory(s.Name, s.Summary, func() transformSettings { return transformSettings{settings} },
			func(c transformSettings, env feed.StageEnv) (feed.Transform, error) {
				return s.plugin.Transform(s.Name, c.document, env), nil
			})
	case feed.KindExpectation:
		return validate.ExpectationFactory(s.Name, s.Summary, func() sideSettings { return sideSettings{settings} },
			func(c sideSettings, env feed.StageEnv) (*remote.Expectation, error) {
				ctx, cancel := context.WithTimeout(context.Background(), s.supervisor.program.limits.timeout)
				defer cancel()
				return s.plugin.Expectation(ctx, s.Name, c.document, env)
			})
	case feed.KindCodec:
		return batch.Factory(s.Name, s.Summary, func() sideSettings { return sideSettings{settings} },
			func(c sideSettings, env feed.StageEnv) (batch.Codec, error) {
				return s.plugin.Codec(s.Name, c.document, env), nil
			})
	}
	panic(fmt.Sprintf("a stage of kind %s has passed the check of what is known", s.Kind))
}

// settings are those of a stage in a plugin. Only the plugin knows what they mean.
type settings struct {
	of       *served
	document []byte
	use      *pluginpb.Use
}

var _ config.DocumentConfig = (*settings)(nil)

// SetDocument implements [config.DocumentConfig].
func (s *settings) SetDocument(object []byte) { s.document = object }

// Keys documents the settings, for people.
func (s *settings) Keys() []config.Key { return s.of.keys }

// Schema is a JSON Schema of the settings.
func (s *settings) Schema() []byte { return s.of.schema }

// Validate implements [feed.StageConfig]. It asks the plugin.
func (s *settings) Validate() error {
	p := s.of.supervisor
	ctx, cancel := context.WithTimeout(context.Background(), p.program.limits.timeout)
	defer cancel()
	stages, gen, err := p.Client(ctx)
	if err != nil {
		return err
	}
	answer, err := stages.Validate(ctx, &pluginpb.ValidateRequest{Kind: protocolKind(s.of.Kind), Stage: s.of.Name, Configuration: s.document})
	if err != nil {
		p.Failed(gen, fmt.Sprintf("it does not say whether the settings of %s are good: %v", s.of.Name, err))
		return fmt.Errorf("plugin %s does not say whether the settings are good: %w", p.program.name, err)
	}
	s.use = answer.GetUse()
	return problems(answer.GetProblems())
}

func protocolKind(k feed.Kind) pluginpb.Kind {
	for p, known := range kinds {
		if known == k {
			return p
		}
	}
	return pluginpb.Kind_KIND_UNSPECIFIED
}

// endpoints says what a stage reads and writes.
type endpoints struct{ settings }

// Reads implements [feed.EndpointConfig].
func (s *endpoints) Reads() []string { return s.use.GetReads() }

// Writes implements [feed.EndpointConfig].
func (s *endpoints) Writes() []string { return s.use.GetWrites() }

type (
	sourceSettings    struct{ endpoints }
	transformSettings struct{ endpoints }
	sinkSettings      struct{ endpoints }
	sideSettings      struct{ endpoints } // of a codec or an expectation
)

// Window implements [feed.WindowConfig].
func (s *sourceSettings) Window() int { return int(s.use.GetWindow()) }

// AckTimeout implements [feed.AckTimeoutConfig].
func (s *sourceSettings) AckTimeout() time.Duration { return time.Duration(s.use.GetAckTimeoutNanos()) }

// FanOut implements [feed.FanOutConfig].
func (s *transformSettings) FanOut() bool { return s.use.GetFanOut() }

// Durable implements [feed.DurableConfig].
func (s *sinkSettings) Durable() bool { return !s.use.GetNotDurable() }
