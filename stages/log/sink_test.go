package log

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSink(t *testing.T, c Config, to io.Writer) *Sink {
	t.Helper()
	s, err := NewSink(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	s.to = to
	return s
}

func message1(topic, payload string) *message.Message {
	return &message.Message{Payload: []byte(payload), Metadata: message.Metadata{feed.MetaTopic: topic}}
}

func TestPayloadLines(t *testing.T) {
	for payload, want := range map[string]string{
		"":                     "",
		`{"v":1}`:              `{"v":1}`,
		"ü\t°C":                "ü\t°C",
		`"a JSON string"`:      `"a JSON string"`,
		`"not JSON`:            `"\"not JSON"`,
		"two\nlines":           `"two\nlines"`,
		"\x1b[2J":              `"\x1b[2J"`,
		"\xff":                 `"\xff"`,
		"right\u202eto left":   `"right\u202eto left"`,
		strings.Repeat("x", 9): "xxxxxxxxx",
	} {
		var out bytes.Buffer
		s := newSink(t, DefaultConfig(), &out)
		if err := s.PublishBatch(t.Context(), feed.NewBatch(message1("t", payload))); err != nil {
			t.Fatal(err)
		}
		if out.String() != want+"\n" {
			t.Errorf("payload %q: %q, want %q", payload, out.String(), want)
		}
	}
}

// TestOneLineEach checks that no payload or metadata makes more than one line,
// and that a JSON line holds all of a message.
func TestOneLineEach(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		payloads := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 5).Draw(rt, "payloads")
		topic := rapid.String().Draw(rt, "topic")
		var msgs []*message.Message
		for _, p := range payloads {
			msgs = append(msgs, message1(topic, string(p)))
		}
		for _, format := range []Format{FormatPayload, FormatJSON} {
			var out bytes.Buffer
			s := newSink(t, Config{To: ToStdout, Format: format}, &out)
			if err := s.PublishBatch(context.Background(), feed.NewBatch(msgs...)); err != nil {
				rt.Fatal(err)
			}
			lines := strings.SplitAfter(out.String(), "\n")
			if len(lines) != len(msgs)+1 || lines[len(msgs)] != "" {
				rt.Fatalf("%d lines for %d messages", len(lines)-1, len(msgs))
			}
			if format != FormatJSON {
				continue
			}
			for i, line := range lines[:len(msgs)] {
				var r record
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					rt.Fatal(err)
				}
				got := r.Base64
				if r.Payload != nil {
					got = []byte(*r.Payload)
				}
				if !bytes.Equal(got, payloads[i]) || r.Topic != topic || r.Metadata["topic"] != topic {
					rt.Fatalf("line %s", line)
				}
			}
		}
	})
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	s, err := NewSink(Config{To: ToLog, Format: FormatPayload}, feed.StageEnv{Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PublishBatch(t.Context(), feed.NewBatch(message1("a/b", strings.Repeat("x", 10_000)))); err != nil {
		t.Fatal(err)
	}
	var r struct {
		Msg, Topic, Payload string
		Bytes               int
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Msg != "message" || r.Topic != "a/b" || r.Bytes != 10_000 || len(r.Payload) != shownBytes {
		t.Errorf("record %.200s", out.String())
	}
}

func TestPublishTopic(t *testing.T) {
	var out bytes.Buffer
	s := newSink(t, Config{To: ToStdout, Format: FormatJSON}, &out)
	if err := s.Publish("given", message1("own", "x")); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), `{"topic":"given",`) {
		t.Error(out.String())
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestWriteError(t *testing.T) {
	s := newSink(t, DefaultConfig(), failing{})
	if err := s.Publish("t", message1("t", "x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestEnd(t *testing.T) {
	var out bytes.Buffer
	s := newSink(t, DefaultConfig(), &out)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.PublishBatch(ctx, feed.NewBatch(message1("t", "x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Publish("t", message1("t", "x")); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
}

func TestConcurrentPublish(t *testing.T) {
	var out bytes.Buffer
	s := newSink(t, DefaultConfig(), &out)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if err := s.Publish("t", message1("t", "abc")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if out.String() != strings.Repeat("abc\n", 400) {
		t.Error("lines are mixed up")
	}
}

func TestConfig(t *testing.T) {
	f := Factories()[0]
	c := f.NewConfig().(*Config)
	s, err := f.Sink(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	if s.(feed.Durability).Durable() || feed.StageConfig(c).(feed.DurableConfig).Durable() {
		t.Error("the sink claims to be durable")
	}
	c.To, c.Format = "printer", "xml"
	err = c.Validate()
	if err == nil || !strings.Contains(err.Error(), "to: ") || !strings.Contains(err.Error(), "format: ") {
		t.Errorf("error %v", err)
	}
	if _, err := f.Sink(c, feed.StageEnv{}); err == nil {
		t.Error("a sink was made")
	}
}
