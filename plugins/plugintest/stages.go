package plugintest

import (
	"log/slog"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
)

// stages makes stages in one of the ways in which they can be used.
type stages interface {
	transform(t testing.TB, name, configuration string) feed.Transform
	sink(t testing.TB, name, configuration string) message.Publisher
	source(t testing.TB, name, configuration string) message.Subscriber
	codec(t testing.TB, name, configuration string) batch.Instance
	expectation(t testing.TB, name, configuration string) validate.Expectation
	// kill ends the process of the stages.
	kill()
	// afterKill runs a test that kills their process, when they have one.
	afterKill(t *testing.T, test func(t *testing.T))
}

func envOf(t testing.TB) feed.StageEnv {
	return feed.StageEnv{Feed: "test", Route: "test", Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

func document(configuration string) []byte {
	if configuration == "" {
		return []byte("{}")
	}
	return []byte(configuration)
}

// over are stages in a plugin.
type over struct {
	*remote.Plugin
	process process
}

func (o over) transform(t testing.TB, name, configuration string) feed.Transform {
	return o.Transform(name, document(configuration), envOf(t))
}

func (o over) sink(t testing.TB, name, configuration string) message.Publisher {
	return o.Sink(name, document(configuration), envOf(t), true)
}

func (o over) source(t testing.TB, name, configuration string) message.Subscriber {
	return o.Source(name, document(configuration), envOf(t))
}

func (o over) codec(t testing.TB, name, configuration string) batch.Instance {
	return o.Codec(name, document(configuration), envOf(t))
}

func (o over) expectation(t testing.TB, name, configuration string) validate.Expectation {
	e, err := o.Expectation(t.Context(), name, document(configuration), envOf(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (o over) kill() { o.process.Kill() }

func (o over) afterKill(t *testing.T, test func(t *testing.T)) {
	t.Run("goes on after its process was killed", test)
}

// local are stages in the test's own process.
type local struct{ registry *feed.Registry }

func newLocal(factories []feed.Factory) (local, error) {
	registry, err := feed.NewRegistry(factories...)
	return local{registry}, err
}

// made makes a stage.
func made[S any](t testing.TB, l local, kind feed.Kind, name, configuration string, make func(feed.Factory, feed.StageConfig, feed.StageEnv) (S, error)) S {
	t.Helper()
	f, ok := l.registry.Lookup(kind, name)
	if !ok {
		t.Fatalf("there is no %s %s", kind, name)
	}
	c, err := config.DecodeStage(f, document(configuration))
	if err != nil {
		t.Fatalf("the configuration of %s %s: %v", kind, name, err)
	}
	stage, err := make(f, c, envOf(t))
	if err != nil {
		t.Fatal(err)
	}
	return stage
}

func (l local) transform(t testing.TB, name, configuration string) feed.Transform {
	return made(t, l, feed.KindTransform, name, configuration, feed.Factory.Transform)
}

func (l local) sink(t testing.TB, name, configuration string) message.Publisher {
	return made(t, l, feed.KindSink, name, configuration, feed.Factory.Sink)
}

func (l local) source(t testing.TB, name, configuration string) message.Subscriber {
	return made(t, l, feed.KindSource, name, configuration, feed.Factory.Source)
}

func (l local) codec(t testing.TB, name, configuration string) batch.Instance {
	return made(t, l, feed.KindCodec, name, configuration, batch.NewCodec)
}

func (l local) expectation(t testing.TB, name, configuration string) validate.Expectation {
	return made(t, l, feed.KindExpectation, name, configuration, validate.NewExpectation)
}

func (local) kill()                                  {}
func (local) afterKill(*testing.T, func(*testing.T)) {}
