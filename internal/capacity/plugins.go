package capacity

import (
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// anySettings are those of a stage that the program does not have. Only the plugin
// that may have it knows what they mean, and no plugin is started here.
type anySettings struct{}

var _ config.DocumentConfig = (*anySettings)(nil)

// SetDocument implements [config.DocumentConfig].
func (*anySettings) SetDocument([]byte) {}

// Validate implements [feed.StageConfig].
func (*anySettings) Validate() error { return nil }

var errNotMade = errors.New("a stage of a plugin was only reckoned with")

// ofPlugin is for [feed.Registry.Otherwise] of a file that names plugins: it returns a
// factory that takes any settings, and makes nothing.
func ofPlugin(k feed.Kind, name string) (feed.Factory, bool) {
	settings := func() anySettings { return anySettings{} }
	switch k {
	case feed.KindSource:
		return feed.SourceFactory(name, "", settings, func(anySettings, feed.StageEnv) (message.Subscriber, error) { return nil, errNotMade }), true
	case feed.KindTransform:
		return feed.TransformFactory(name, "", settings, func(anySettings, feed.StageEnv) (feed.Transform, error) { return feed.Transform{}, errNotMade }), true
	case feed.KindSink:
		return feed.SinkFactory(name, "", settings, func(anySettings, feed.StageEnv) (message.Publisher, error) { return nil, errNotMade }), true
	case feed.KindExpectation:
		return validate.ExpectationFactory(name, "", settings, func(anySettings, feed.StageEnv) (validate.Expectation, error) { return nil, errNotMade }), true
	case feed.KindCodec:
		return batch.Factory(name, "", settings, func(anySettings, feed.StageEnv) (batch.Codec, error) { return nil, errNotMade }), true
	}
	return feed.Factory{}, false
}

// noteStage notes a stage of a route of which nothing is known.
func (p *Plan) noteStage(route string, kind feed.Kind, s config.Stage) {
	if _, unknown := s.Config.(*anySettings); unknown {
		p.notes = append(p.notes, fmt.Sprintf("route %s: %s %s is taken for one of a plugin, which is not asked: what it stores, and makes of readings, is not reckoned", route, kind, s.Name))
	}
}
