package host

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// served is a stage of a plugin that is supervised.
type served struct {
	stage
	supervisor *supervisor
	plugin     *remote.Plugin
	silent     *atomic.Bool // the plugin has not answered while a feed was being started
}

// settings are those of a stage in a plugin. Only the plugin knows what they mean.
type settings struct {
	host     *Host
	kind     feed.Kind
	name     string
	of       *served // nil: it is not known who has the stage
	document []byte
	use      *pluginpb.Use
	unasked  bool // the plugin has not said whether they are good
}

var _ config.DocumentConfig = (*settings)(nil)

// SetDocument implements [config.DocumentConfig].
func (s *settings) SetDocument(object []byte) { s.document = object }

// Keys documents the settings, for people.
func (s *settings) Keys() []config.Key {
	if s.of == nil {
		return nil
	}
	return s.of.keys
}

// Schema is a JSON Schema of the settings.
func (s *settings) Schema() []byte {
	if s.of == nil {
		return nil
	}
	return s.of.schema
}

// Validate implements [feed.StageConfig]. It asks the plugin. For a feed that runs it
// is no mistake in the settings that a plugin cannot be asked: the stage is made
// late, see [Start].
func (s *settings) Validate() error {
	if s.unasked || s.host.patience > 0 && s.of.silent.Load() {
		s.unasked = true
		return nil
	}
	within := s.of.supervisor.program.limits.timeout
	if s.host.patience > 0 {
		within = min(within, s.host.patience)
	}
	err := s.ask(context.Background(), within)
	if s.unasked && s.host.patience > 0 {
		s.of.silent.Store(true) // its other stages are not to be waited for as long
		s.of.supervisor.program.log.Warn("settings were not checked, as the plugin does not say whether they are good: their route waits for it", "stage", s.name, "error", err)
		return nil
	}
	return err
}

// ask asks the plugin about the settings, each process that comes until one answers,
// for some time at most. The error says what is wrong with them, or why nobody says
// so, in which case they are unasked.
func (s *settings) ask(ctx context.Context, within time.Duration) error {
	s.unasked = true
	caller := ctx
	ctx, cancel := context.WithTimeout(caller, within)
	defer cancel()
	p := s.of.supervisor
	for {
		stages, gen, err := p.Client(ctx)
		if err != nil {
			return err
		}
		answer, err := stages.Validate(ctx, &pluginpb.ValidateRequest{Kind: wire.ToKind(s.kind), Stage: s.name, Configuration: s.document})
		if err == nil {
			s.use, s.unasked = answer.GetUse(), false
			return problems(answer.GetProblems())
		}
		if ctx.Err() == nil || caller.Err() == nil && within >= p.program.limits.timeout { // or it might still have answered
			p.Failed(gen, fmt.Sprintf("it does not say whether the settings of %s are good: %v", s.name, err))
		}
		if c := status.Code(err); ctx.Err() != nil || c != codes.Unavailable && c != codes.Canceled { // it has not died
			return fmt.Errorf("plugin %s does not say whether the settings are good: %w", p.program.name, err)
		}
	}
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

// Durable implements [feed.DurableConfig]. What is not known to be durable is made
// late, if it is.
func (s *sinkSettings) Durable() bool { return !s.use.GetNotDurable() }
