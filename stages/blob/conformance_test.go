package blob

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func jsonPayload(n, size int) []byte {
	return fmt.Appendf(nil, `{"n":%d,"pad":%q}`, n, strings.Repeat("x", size))
}

// storedLines reads what stands in the place of cfg.
func storedLines(cfg Config) func(t testing.TB, n int) []feedtest.Stored {
	return func(t testing.TB, n int) []feedtest.Stored {
		var all []feedtest.Stored
		for name, text := range contents(t, cfg, "") {
			for line := range strings.Lines(text) {
				all = append(all, storedLine(t, cfg.Envelope, name, strings.TrimSuffix(line, "\n")))
			}
		}
		return all
	}
}

func storedLine(t testing.TB, e Envelope, name, line string) feedtest.Stored {
	if e == EnvelopeNone { // the path is {topic}/{hash}
		topic, _, _ := strings.Cut(name, "/")
		topic, err := url.PathUnescape(topic)
		if err != nil {
			t.Fatal(err)
		}
		return feedtest.Stored{Topic: topic, Payload: []byte(line)}
	}
	var full struct {
		Topic    string            `json:"topic"`
		ID       string            `json:"id"`
		Time     time.Time         `json:"time"`
		Metadata map[string]string `json:"metadata"`
		Encoding string            `json:"encoding"`
		Payload  json.RawMessage   `json:"payload"`
	}
	if err := json.Unmarshal([]byte(line), &full); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	if full.ID == "" || full.Time.IsZero() {
		t.Fatalf("no id or time in %s", line)
	}
	payload := []byte(full.Payload)
	if full.Encoding == "base64" {
		payload = nil
		if err := json.Unmarshal(full.Payload, &payload); err != nil {
			t.Fatal(err)
		}
	}
	return feedtest.Stored{Topic: full.Topic, Payload: payload, Metadata: full.Metadata}
}

func topics(n int) string { return fmt.Sprintf("telemetry/press.%d", n) }

func TestConformanceDirectory(t *testing.T) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		cfg := dirConfig(t.TempDir())
		cfg.Path, cfg.Compression = "{topic}/{hash}", Gzip
		return feedtest.SinkUnderTest{
			Sink: openSink(t, cfg), Topic: topics, Payload: jsonPayload, Stored: storedLines(cfg), Unordered: true,
			Refused: func() *message.Message {
				return &message.Message{Payload: []byte("{"), Metadata: message.Metadata{feed.MetaTopic: topics(1)}}
			},
		}
	})
}

func TestConformanceAzure(t *testing.T) {
	server := testenv.Azurite(t) // containers are cheap, servers are not
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		c := testenv.Azurite(t)
		proxy := testenv.Proxy(t, server.Addr)
		cfg := azureConfig(c, proxy.Addr)
		cfg.Envelope, cfg.Compression = EnvelopeFull, Zstd
		return feedtest.SinkUnderTest{
			Sink: openSink(t, cfg), Topic: topics, Stored: storedLines(azureConfigAs(cfg, c)), Unordered: true, KeepsMetadata: true,
			Down: func(testing.TB) { proxy.Refuse(); proxy.Cut() },
			Up:   func(testing.TB) { proxy.Accept() },
		}
	})
}

// azureConfigAs is cfg, not through a proxy.
func azureConfigAs(cfg Config, c *testenv.Container) Config {
	cfg.ConnectionString = feed.NewSecret(c.ConnectionString())
	return cfg
}
