package host

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Missing returns stages for [feed.Registry.Otherwise] that stand for those that
// nobody has, because of why: a plugin was left out. They take any settings, and
// fail with a transient error that says so: their routes wait and are not ready.
func Missing(why error) func(feed.Kind, string) (feed.Factory, bool) {
	return func(k feed.Kind, name string) (feed.Factory, bool) {
		m := missing{name, fmt.Errorf("there is no %s %q: %w", k, name, why)}
		f, ok := m.factory(k)
		return f, ok
	}
}

type missing struct {
	name string
	why  error
}

func (m missing) factory(k feed.Kind) (feed.Factory, bool) {
	const summary = "Is missing."
	none := func() anySettings { return anySettings{} }
	switch k {
	case feed.KindSource:
		return feed.SourceFactory(m.name, summary, none, func(anySettings, feed.StageEnv) (missing, error) { return m, nil }), true
	case feed.KindTransform:
		return feed.TransformFactory(m.name, summary, none, func(anySettings, feed.StageEnv) (feed.Transform, error) {
			return feed.Transform{Batch: func(context.Context, []*message.Message) []feed.Made { return []feed.Made{{Err: m.why}} }}, nil
		}), true
	case feed.KindSink:
		return feed.SinkFactory(m.name, summary, none, func(anySettings, feed.StageEnv) (missing, error) { return m, nil }), true
	case feed.KindCodec:
		return batch.Factory(m.name, summary, none, func(anySettings, feed.StageEnv) (batch.Codec, error) { return missingCodec{m}, nil }), true
	case feed.KindExpectation:
		return validate.ExpectationFactory(m.name, summary, none, func(anySettings, feed.StageEnv) (validate.Expectation, error) { return nil, m.why }), true
	}
	return feed.Factory{}, false
}

// anySettings are what nobody can check.
type anySettings struct{}

var _ config.DocumentConfig = (*anySettings)(nil)

// SetDocument implements [config.DocumentConfig].
func (*anySettings) SetDocument([]byte) {}

// Validate implements [feed.StageConfig].
func (*anySettings) Validate() error { return nil }

// Durable implements [feed.DurableConfig]: nothing is taken, so that nothing is lost.
func (*anySettings) Durable() bool { return true }

// SubscribeBatch implements [feed.BatchSubscriber].
func (m missing) SubscribeBatch(context.Context, string) (feed.Subscription, error) {
	return nil, m.why
}

// Subscribe implements [message.Subscriber].
func (m missing) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	return nil, m.why
}

// PublishBatch implements [feed.BatchPublisher].
func (m missing) PublishBatch(context.Context, *feed.Batch) error { return m.why }

// Publish implements [message.Publisher].
func (m missing) Publish(string, ...*message.Message) error { return m.why }

// Probe implements [feed.Prober].
func (m missing) Probe(context.Context) error { return m.why }

// Close implements io.Closer.
func (missing) Close() error { return nil }

type missingCodec struct{ missing }

// Name implements [batch.Codec].
func (m missingCodec) Name() string { return m.name }

// Append implements [batch.Codec].
func (m missingCodec) Append(dst []byte, _ []reading.Reading) ([]byte, error) { return dst, m.why }

// Decode implements [batch.Codec].
func (m missingCodec) Decode(dst []reading.Reading, _ []byte, _ batch.Limits) ([]reading.Reading, error) {
	return dst, &batch.Unavailable{Err: m.why}
}
