package plugintest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/plugins/plugintest"
)

func TestMain(m *testing.M) {
	plugintest.ServeIfStarted("acme", "1.0", factories()...)
	goleak.VerifyTestMain(m)
}

// factories are the stages of a plugin as an author writes them.
func factories() []feed.Factory {
	return []feed.Factory{
		feed.TransformFactory("shout", "puts payloads in capitals", func() shoutConfig { return shoutConfig{} }, newShout),
		feed.SinkFactory("lines", "appends to a file", func() linesConfig { return linesConfig{} }, newLines),
		batch.Factory("columns", "packs readings", func() columnsConfig { return columnsConfig{} },
			func(columnsConfig, feed.StageEnv) (batch.Codec, error) { return columns{batch.Columnar()}, nil }),
		feed.SourceFactory("spool", "reads files", func() spoolConfig { return spoolConfig{} }, newSpool),
		validate.ExpectationFactory("record", "reads a file", func() recordConfig { return recordConfig{} }, newRecord),
	}
}

type shoutConfig struct {
	Mark string `yaml:"mark" doc:"What is put behind each payload."`
}

func (c *shoutConfig) Validate() error {
	if c.Mark == "" {
		return &feed.ConfigError{Key: "mark", Problem: "is missing", Remedy: `write mark: "!"`}
	}
	return nil
}

func newShout(c shoutConfig, env feed.StageEnv) (feed.Transform, error) {
	env.Logger.Info("opened")
	return feed.Transform{Func: func(m *message.Message) ([]*message.Message, error) {
		switch {
		case len(m.Payload) == 0:
			return nil, feed.Filter("empty")
		case bytes.ContainsRune(m.Payload, 0):
			return nil, feed.Permanent(errors.New("it has a zero byte"))
		}
		m.Payload = append(bytes.ToUpper(m.Payload), c.Mark...)
		return []*message.Message{m}, nil
	}}, nil
}

type linesConfig struct {
	Path string `yaml:"path" doc:"The file."`
}

func (*linesConfig) Validate() error { return nil }

type lines struct {
	path   string
	closed bool
}

func newLines(c linesConfig, _ feed.StageEnv) (*lines, error) { return &lines{path: c.Path}, nil }

func (l *lines) Publish(topic string, msgs ...*message.Message) error {
	for _, m := range msgs {
		feed.SetTopic(m, topic)
	}
	return l.PublishBatch(context.Background(), feed.NewBatch(msgs...))
}

func (l *lines) PublishBatch(ctx context.Context, b *feed.Batch) error {
	if l.closed {
		return errors.New("the sink is closed")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	encoder := json.NewEncoder(f)
	for _, m := range b.Messages {
		if err := encoder.Encode(feedtest.Stored{Topic: feed.Topic(m), Payload: m.Payload, Metadata: m.Metadata}); err != nil {
			return err
		}
	}
	return f.Sync()
}

func (l *lines) Close() error {
	l.closed = true
	return nil
}

type columnsConfig struct{}

func (*columnsConfig) Validate() error { return nil }

// columns is a codec under a name of its own.
type columns struct{ batch.Codec }

func (columns) Name() string { return "columns" }

func TestRun(t *testing.T) { plugintest.Run(t, factories(), cases()...) }

// A plugin in another language has no TLS, and the host does not know its factories.
func TestRunBinary(t *testing.T) {
	file, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plugintest.RunBinary(t, file, cases()...)
}

func cases() []plugintest.Case {
	return []plugintest.Case{
		spoolCase(), recordCase(),
		plugintest.Transform{Name: "shout", Configuration: `{"mark": "!"}`, Messages: func() []*message.Message {
			var all []*message.Message
			for _, p := range []string{"a", "", "b\x00", "ü"} {
				all = append(all, &message.Message{UUID: "id", Payload: message.Payload(p), Metadata: message.Metadata{feed.MetaTopic: "t"}})
			}
			return all
		}},
		plugintest.Sink{Name: "lines", Place: func(t *testing.T) (string, feedtest.SinkUnderTest) {
			path := filepath.Join(t.TempDir(), "lines")
			configuration, err := json.Marshal(map[string]string{"path": path})
			if err != nil {
				t.Fatal(err)
			}
			return string(configuration), feedtest.SinkUnderTest{
				Topic:         func(n int) string { return "topic" + string(rune('0'+n)) },
				KeepsMetadata: true,
				Stored:        func(t testing.TB, _ int) []feedtest.Stored { return read(t, path) },
			}
		}},
		plugintest.Codec{Name: "columns",
			Batches: func() [][]reading.Reading {
				return [][]reading.Reading{{}, {{Device: "press7", Tag: "t", Time: 1, Value: reading.OfFloat(0.5), Quality: "good", Seq: 1}, {Device: "press7", Tag: "u", Time: 2, Value: reading.OfText("on"), Seq: 2}}}
			},
			Damaged: func() [][]byte { return [][]byte{nil, []byte("no frame"), bytes.Repeat([]byte{0xff}, 1000)} },
		},
	}
}

func read(t testing.TB, path string) []feedtest.Stored {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []feedtest.Stored
	decoder := json.NewDecoder(f)
	for decoder.More() {
		var s feedtest.Stored
		if err := decoder.Decode(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}
