package config_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The stages of the tests use every type that a configuration may hold.

type tlsConfig struct {
	CAFile   string `yaml:"caFile" doc:"PEM file of the authority."`
	Insecure bool   `yaml:"insecure" doc:"Accepts any certificate."`
}

type mode string

func (mode) Values() []string { return []string{"classic", "quorum", "stream"} }

type common struct {
	Label string `yaml:"label" doc:"A label."`
}

type queueConfig struct {
	URL        feed.URL          `yaml:"url" doc:"Address of the broker."`
	Password   feed.Secret       `yaml:"password" doc:"Password of the broker."`
	Queue      string            `yaml:"queue" doc:"Queue to read."`
	Prefetch   uint16            `yaml:"prefetch" doc:"Most unsettled messages."`
	AckLimit   time.Duration     `yaml:"ackLimit" doc:"The broker's acknowledgement timeout."`
	MaxLength  feed.Size         `yaml:"maxLength" doc:"Most bytes of the queue."`
	Mode       mode              `yaml:"mode" doc:"Kind of the queue."`
	Ratio      float64           `yaml:"ratio" doc:"A ratio."`
	Offset     *int              `yaml:"offset" doc:"First offset; absent: the next."`
	Headers    map[string]string `yaml:"headers" doc:"Headers to match."`
	Bindings   []string          `yaml:"bindings" doc:"Binding keys."`
	TLS        tlsConfig         `yaml:"tls" doc:"Encryption."`
	Embedded   common            `yaml:",inline"`
	unexported int               //nolint:unused // must not become a key
}

func (c *queueConfig) Validate() error {
	var errs []error
	if c.Queue == "" {
		errs = append(errs, &feed.ConfigError{Key: "queue", Problem: "required", Remedy: "write the name of the queue"})
	}
	if c.TLS.Insecure && c.TLS.CAFile != "" {
		errs = append(errs, &feed.ConfigError{Key: "tls.caFile", Problem: "has no effect with tls.insecure", Remedy: "remove one of them"})
	}
	for i, b := range c.Bindings {
		if b == "" {
			errs = append(errs, &feed.ConfigError{Key: fmt.Sprintf("bindings[%d]", i), Problem: "is empty"})
		}
	}
	return errors.Join(errs...)
}

func (c *queueConfig) Window() int               { return int(c.Prefetch) }
func (c *queueConfig) AckTimeout() time.Duration { return c.AckLimit }
func (c *queueConfig) Reads() []string           { return []string{"queue/" + c.Queue} }
func (c *queueConfig) Writes() []string          { return nil }
func (c *queueConfig) Offsets() bool             { return c.Embedded.Label == "offsets" }

type rule struct {
	Match string `yaml:"match" doc:"Pattern of the routing key."`
	Topic string `yaml:"topic" doc:"Template of the topic."`
}

type bridgeConfig struct {
	Rules []rule `yaml:"rules" doc:"The rules, the first that matches is taken."`
}

func (c *bridgeConfig) Validate() error {
	for i, r := range c.Rules {
		if r.Match == "" {
			return &feed.ConfigError{Key: fmt.Sprintf("rules[%d].match", i), Problem: "required"}
		}
		if before, _, found := strings.Cut(r.Topic, "!"); found {
			return &feed.ConfigError{Key: fmt.Sprintf("rules[%d].topic", i), At: utf8.RuneCountInString(before) + 1, Problem: "shouts"}
		}
	}
	return nil
}

// splitConfig is of a transform that makes many messages of one.
type splitConfig struct{}

func (*splitConfig) Validate() error { return nil }
func (*splitConfig) FanOut() bool    { return true }

// eitherConfig needs one of two keys.
type eitherConfig struct {
	URL    feed.URL    `yaml:"url" doc:"Address."`
	Secret feed.Secret `yaml:"secret" doc:"Address that holds a key."`
	Needed string      `yaml:"needed" doc:"Needed in any case."`
}

func (c *eitherConfig) Validate() error {
	var errs []error
	if c.URL.IsZero() && c.Secret.IsZero() {
		errs = append(errs, &feed.ConfigError{Key: "url", Problem: "is missing", Remedy: "or write secret"})
	}
	if c.Needed == "" {
		errs = append(errs, &feed.ConfigError{Key: "needed", Problem: "is missing"})
	}
	return errors.Join(errs...)
}

type placeConfig struct {
	Name  string      `yaml:"name" doc:"Name of the place."`
	Token feed.Secret `yaml:"token" doc:"Token of the place."`
	Lossy bool        `yaml:"lossy" doc:"Answers too early."`
	Fail  bool        `yaml:"fail" doc:"Cannot be made."`
}

// Validate shows what must not be shown when the place is named "careless".
func (c *placeConfig) Validate() error {
	if c.Name != "careless" {
		return nil
	}
	token, err := c.Token.Reveal()
	return &feed.ConfigError{Key: "token", Problem: fmt.Sprintf("%s is no token (%v)", token, err)}
}
func (c *placeConfig) Durable() bool     { return !c.Lossy }
func (c *placeConfig) Reads() []string   { return nil }
func (c *placeConfig) Checkpoints() bool { return strings.HasPrefix(c.Name, "checkpoint") }

// Writes names a file when the name is a path.
func (c *placeConfig) Writes() []string {
	if strings.HasPrefix(c.Name, "/") {
		return []string{"file://" + c.Name}
	}
	return []string{"queue/" + c.Name}
}

// place is a stage that counts how often it was closed.
type place struct {
	config placeConfig
	closed int
}

func (p *place) Publish(string, ...*message.Message) error       { return nil }
func (p *place) PublishBatch(context.Context, *feed.Batch) error { return nil }
func (p *place) Close() error                                    { p.closed++; return nil }
func (p *place) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	return nil, errors.New("not used")
}

// cloudConfig and storeConfig are those of the sides of a validation.
type cloudConfig struct {
	URL   feed.URL    `yaml:"url" doc:"Address of the cloud."`
	Token feed.Secret `yaml:"token" doc:"Token of the cloud."`
	Fail  bool        `yaml:"fail" doc:"Cannot be made."`
}

func (c *cloudConfig) Validate() error {
	if c.URL.IsZero() {
		return &feed.ConfigError{Key: "url", Problem: "is missing", Remedy: "write ${CLOUD_URL}"}
	}
	return nil
}

func newCloud(c cloudConfig, keep func(*place) *place) (*expectation, error) {
	if c.Fail {
		return nil, &feed.ConfigError{Key: "token", Problem: "has expired"}
	}
	return &expectation{side{keep(&place{})}}, nil
}

// side and expectation know nothing.
type side struct{ *place }

func (side) String() string                                                        { return "nowhere" }
func (side) Read(context.Context, validate.Query, func(validate.Page) error) error { return nil }
func (side) Traits() validate.Traits                                               { return validate.Traits{} }
func (side) Costs() validate.Costs                                                 { return validate.Costs{} }

type expectation struct{ side }

func (expectation) Watermark(context.Context) (time.Time, error) { return time.Time{}, nil }

// verifierConfig is that of a sink with a stage of its own.
type verifierConfig struct {
	Expect feed.Nested   `yaml:"expect" stage:"expectation" doc:"What there should be."`
	Every  time.Duration `yaml:"every" doc:"Time between two checks."`
}

func (c *verifierConfig) Validate() error {
	var errs []error
	if c.Expect.IsZero() {
		errs = append(errs, &feed.ConfigError{Key: "expect", Problem: "is missing", Remedy: "write an expectation"})
	}
	if c.Every <= 0 {
		errs = append(errs, &feed.ConfigError{Key: "every", Problem: "is missing"})
	}
	return errors.Join(errs...)
}

// newVerifier makes the stage in the stage, too.
func newVerifier(c verifierConfig, env feed.StageEnv, keep func(*place) *place) (*place, error) {
	e, err := validate.NewExpectation(c.Expect.Factory, c.Expect.Config, env)
	if err != nil {
		return nil, c.Expect.Failed("expect", err)
	}
	return keep(&place{}), e.Close()
}

// registry returns the stages of the tests. made gets every source and sink.
func registry(t interface{ Fatal(...any) }, made *[]*place) *feed.Registry {
	keep := func(p *place) *place {
		if made != nil {
			*made = append(*made, p)
		}
		return p
	}
	r, err := feed.NewRegistry(
		feed.SourceFactory("queue", "Reads a queue.", func() queueConfig {
			return queueConfig{Prefetch: 2000, AckLimit: 30 * time.Minute, Mode: "quorum", MaxLength: feed.GiB}
		}, func(queueConfig, feed.StageEnv) (*place, error) { return keep(&place{}), nil }),
		feed.TransformFactory("bridge", "Renames topics.", func() bridgeConfig { return bridgeConfig{} },
			func(bridgeConfig, feed.StageEnv) (feed.Transform, error) {
				return feed.Transform{Func: message.PassthroughHandler, Close: keep(&place{}).Close}, nil
			}),
		feed.TransformFactory("remote", "Runs elsewhere.", func() remoteConfig { return remoteConfig{} },
			func(remoteConfig, feed.StageEnv) (feed.Transform, error) {
				return feed.Transform{Func: message.PassthroughHandler}, nil
			}),
		feed.TransformFactory("split", "Makes many messages of one.", func() splitConfig { return splitConfig{} },
			func(splitConfig, feed.StageEnv) (feed.Transform, error) {
				return feed.Transform{Func: message.PassthroughHandler}, nil
			}),
		feed.SinkFactory("place", "Writes to a place.", func() placeConfig { return placeConfig{Name: "here"} },
			func(c placeConfig, _ feed.StageEnv) (*place, error) {
				if c.Fail {
					return nil, &feed.ConfigError{Key: "name", Problem: "cannot be reached from here"}
				}
				return keep(&place{config: c}), nil
			}),
		feed.SinkFactory("log", "Logs.", func() placeConfig { return placeConfig{Lossy: true, Name: "log"} },
			func(c placeConfig, _ feed.StageEnv) (*place, error) { return keep(&place{config: c}), nil }),
		feed.SinkFactory("verifier", "Checks.", func() verifierConfig { return verifierConfig{} },
			func(c verifierConfig, env feed.StageEnv) (*place, error) { return newVerifier(c, env, keep) }),
		validate.ExpectationFactory("cloud", "Knows the truth.", func() cloudConfig { return cloudConfig{} },
			func(c cloudConfig, _ feed.StageEnv) (*expectation, error) { return newCloud(c, keep) }),
		validate.ObservationFactory("store", "Reads a store.", func() placeConfig { return placeConfig{} },
			func(c placeConfig, _ feed.StageEnv) (*side, error) { return &side{keep(&place{config: c})}, nil }),
		validate.ObservationFactory("tank", "Reads a tank.", func() placeConfig { return placeConfig{} },
			func(c placeConfig, _ feed.StageEnv) (*side, error) {
				if c.Fail {
					return nil, &feed.ConfigError{Key: "name", Problem: "is no tank"}
				}
				return &side{keep(&place{config: c})}, nil
			}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
