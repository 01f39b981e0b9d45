package feed

import (
	"fmt"
	"io"
	"log/slog"
	"sort"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Kind is the role of a stage in a route, or in a validation.
type Kind string

// The kinds of stages.
const (
	KindSource    Kind = "source"
	KindTransform Kind = "transform"
	KindSink      Kind = "sink"
	// KindExpectation and KindObservation are the sides of a validation, see
	// package feed/validate.
	KindExpectation Kind = "expectation"
	KindObservation Kind = "observation"
	// KindCodec stands for codecs of batches of readings, see package
	// feed/reading/batch.
	KindCodec Kind = "codec"
)

// StageConfig is a pointer to a stage's typed configuration. Its exported
// fields carry yaml tags (camelCase keys) and doc tags (one sentence each: the
// documentation of the key, with its unit).
type StageConfig interface {
	// Validate reports all that is wrong, as one *[ConfigError] or several
	// joined by errors.Join. It does no I/O.
	Validate() error
}

// Optional interfaces of a [StageConfig], for the checks that need to look at
// a whole route.
type (
	// WindowConfig: how many unsettled deliveries a source hands out at most.
	WindowConfig interface{ Window() int }
	// FanOutConfig: whether a transform makes many messages of one, so that a
	// batch may have more of them than the source hands out, and order key is
	// refused.
	FanOutConfig interface{ FanOut() bool }
	// AckTimeoutConfig: how long a source's broker lets a delivery stay
	// unsettled before it takes it back; 0 is for ever.
	AckTimeoutConfig interface{ AckTimeout() time.Duration }
	// OffsetConfig: whether a source reads a stream, see [OffsetSubscriber].
	OffsetConfig interface{ Offsets() bool }
	// CheckpointConfig: whether a sink keeps checkpoints, see [Checkpointer].
	CheckpointConfig interface{ Checkpoints() bool }
	// DurableConfig: whether a sink's "done" means durable.
	DurableConfig interface{ Durable() bool }
	// EndpointConfig: what the stage, also a transform, reads from or writes to, in
	// a form that is equal for equal places
	// ("amqp://host:5672/vhost/queue/telemetry"), so that a cycle can be found.
	// Files ("file:///var/lib/feed/cache.db") are compared with those of the
	// quarantine and of other stages, too. Reads and Writes may be empty.
	EndpointConfig interface {
		Reads() []string
		Writes() []string
	}
)

// StageEnv is what a stage gets from the feed that it runs in.
type StageEnv struct {
	Feed   string // the feed's name
	Route  string // the route's name
	Logger *slog.Logger
	// Trial says that the stage runs in a test of the configuration: it neither
	// reads nor changes what outlives the process.
	Trial bool
}

// Factory makes stages of one name and kind. Use [SourceFactory],
// [TransformFactory], [SinkFactory] or [SideFactory].
type Factory struct {
	Kind    Kind
	Name    string // the key in feed.yaml, such as "amqp"
	Summary string // one line for people

	newConfig    func() StageConfig
	newSource    func(StageConfig, StageEnv) (message.Subscriber, error)
	newTransform func(StageConfig, StageEnv) (Transform, error)
	newSink      func(StageConfig, StageEnv) (message.Publisher, error)
	newSide      func(StageConfig, StageEnv) (io.Closer, error)
}

type configPointer[C any] interface {
	*C
	StageConfig
}

// SourceFactory returns a factory for sources. Constructors do no network I/O.
func SourceFactory[C any, P configPointer[C], S message.Subscriber](name, summary string, defaults func() C, build func(C, StageEnv) (S, error)) Factory {
	f := newFactory[C, P](KindSource, name, summary, defaults)
	f.newSource = func(c StageConfig, env StageEnv) (message.Subscriber, error) {
		return asStage[message.Subscriber](build(*c.(P), env))
	}
	return f
}

// TransformFactory returns a factory for transforms, which get their Name from
// it. Constructors do no network I/O.
func TransformFactory[C any, P configPointer[C]](name, summary string, defaults func() C, build func(C, StageEnv) (Transform, error)) Factory {
	f := newFactory[C, P](KindTransform, name, summary, defaults)
	f.newTransform = func(c StageConfig, env StageEnv) (Transform, error) {
		t, err := build(*c.(P), env)
		t.Name = name
		return t, err
	}
	return f
}

// SinkFactory returns a factory for sinks. Constructors do no network I/O.
func SinkFactory[C any, P configPointer[C], S message.Publisher](name, summary string, defaults func() C, build func(C, StageEnv) (S, error)) Factory {
	f := newFactory[C, P](KindSink, name, summary, defaults)
	f.newSink = func(c StageConfig, env StageEnv) (message.Publisher, error) {
		return asStage[message.Publisher](build(*c.(P), env))
	}
	return f
}

// SideFactory returns a factory for what stands beside routes: sides of a
// validation, and codecs. What they must be is said by packages feed/validate and
// feed/reading/batch, whose functions call it. Constructors do no network I/O.
func SideFactory[C any, P configPointer[C], S io.Closer](k Kind, name, summary string, defaults func() C, build func(C, StageEnv) (S, error)) Factory {
	f := newFactory[C, P](k, name, summary, defaults)
	f.newSide = func(c StageConfig, env StageEnv) (io.Closer, error) {
		return asStage[io.Closer](build(*c.(P), env))
	}
	return f
}

func newFactory[C any, P configPointer[C]](k Kind, name, summary string, defaults func() C) Factory {
	return Factory{Kind: k, Name: name, Summary: summary, newConfig: func() StageConfig {
		c := defaults()
		return P(&c)
	}}
}

// asStage keeps a nil pointer of a concrete type from becoming a non-nil
// interface when the constructor failed.
func asStage[I io.Closer, S io.Closer](s S, err error) (I, error) {
	if err != nil {
		var none I
		return none, err
	}
	return any(s).(I), nil
}

// NewConfig returns a pointer to the stage's configuration, filled with its
// defaults.
func (f Factory) NewConfig() StageConfig { return f.newConfig() }

// Source makes a source from a configuration that NewConfig returned.
func (f Factory) Source(c StageConfig, env StageEnv) (message.Subscriber, error) {
	return f.newSource(c, env)
}

// Transform makes a transform from a configuration that NewConfig returned.
func (f Factory) Transform(c StageConfig, env StageEnv) (Transform, error) {
	return f.newTransform(c, env)
}

// Sink makes a sink from a configuration that NewConfig returned.
func (f Factory) Sink(c StageConfig, env StageEnv) (message.Publisher, error) {
	return f.newSink(c, env)
}

// Side makes what [SideFactory] is for, from a configuration that NewConfig
// returned.
func (f Factory) Side(c StageConfig, env StageEnv) (io.Closer, error) {
	return f.newSide(c, env)
}

// Registry is a set of factories. It is passed in; there is no global one.
type Registry struct {
	byKind    map[Kind]map[string]Factory
	otherwise func(Kind, string) (Factory, bool)
}

// NewRegistry returns a registry of the given factories. Two factories of one
// kind and name are an error.
func NewRegistry(factories ...Factory) (*Registry, error) {
	r := &Registry{byKind: map[Kind]map[string]Factory{}}
	for _, f := range factories {
		if f.newConfig == nil || f.Name == "" {
			return nil, fmt.Errorf("registry: a factory without name or configuration: make it with SourceFactory, TransformFactory, SinkFactory or SideFactory")
		}
		if r.byKind[f.Kind] == nil {
			r.byKind[f.Kind] = map[string]Factory{}
		}
		if _, ok := r.byKind[f.Kind][f.Name]; ok {
			return nil, fmt.Errorf("registry: two %ss are named %q", f.Kind, f.Name)
		}
		r.byKind[f.Kind][f.Name] = f
	}
	return r, nil
}

// Otherwise returns a registry that looks up elsewhere what r does not have. What is
// there is not listed.
func (r *Registry) Otherwise(lookup func(Kind, string) (Factory, bool)) *Registry {
	return &Registry{byKind: r.byKind, otherwise: lookup}
}

// Lookup returns the factory of the given kind and name.
func (r *Registry) Lookup(k Kind, name string) (Factory, bool) {
	f, ok := r.byKind[k][name]
	if !ok && r.otherwise != nil {
		return r.otherwise(k, name)
	}
	return f, ok
}

// Factories returns the factories of one kind, sorted by name.
func (r *Registry) Factories(k Kind) []Factory {
	fs := make([]Factory, 0, len(r.byKind[k]))
	for _, f := range r.byKind[k] {
		fs = append(fs, f)
	}
	sort.Slice(fs, func(i, j int) bool { return fs[i].Name < fs[j].Name })
	return fs
}
