package blob

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// observe returns an observation of where a sink writes.
func observe(t testing.TB, sink Config, change func(*ObservationConfig)) *Observation {
	t.Helper()
	cfg := DefaultObservationConfig()
	cfg.URL, cfg.ConnectionString, cfg.Container, cfg.TryTimeout = sink.URL, sink.ConnectionString, sink.Container, sink.TryTimeout
	if change != nil {
		change(&cfg)
	}
	o, err := NewObservation(cfg, testEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// messageOf is a reading on its way, with its time as metadata.
func messageOf(r reading.Reading) *message.Message {
	m := message.NewMessage("", r.AppendJSON(nil))
	m.Metadata.Set(feed.MetaTime, r.At().Format(time.RFC3339Nano))
	return m
}

func put(t testing.TB, sink Config, rs ...reading.Reading) {
	t.Helper()
	s, err := NewSink(sink, testEnv)
	if err != nil {
		t.Fatal(err)
	}
	b := &feed.Batch{Received: time.Now()}
	for _, r := range rs {
		b.Messages = append(b.Messages, messageOf(r))
	}
	if err := s.PublishBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// forms are the forms in which a sink writes.
var forms = map[string]func(*Config){
	"ndjson":      func(c *Config) { c.Compression = Plain },
	"ndjson.gz":   func(c *Config) { c.Compression = Gzip },
	"ndjson.zst":  func(c *Config) { c.Compression = Zstd },
	"envelope":    func(c *Config) { c.Envelope = EnvelopeFull },
	"parquet":     func(c *Config) { c.Format, c.Compression = FormatParquet, Zstd },
	"parquetHive": func(c *Config) { c.Format, c.Path = FormatParquet, "hive" },
}

// sideOf is a side over what a sink has written.
func sideOf(sink Config, side *Observation) validatetest.SideUnderTest {
	return validatetest.SideUnderTest{
		Side: side,
		Put:  func(t testing.TB, rs ...reading.Reading) { put(t, sink, rs...) },
		PutTwice: func(t testing.TB, r reading.Reading) {
			put(t, sink, r)
			put(t, sink, r)
		},
		PutUnreadable: func(t testing.TB) {
			s, err := NewSink(sink, testEnv)
			if err != nil {
				t.Fatal(err)
			}
			m := message.NewMessage("", []byte(`{"no":"reading"}`))
			m.Metadata.Set(feed.MetaTime, validatetest.Noon.Format(time.RFC3339))
			if err := s.PublishBatch(t.Context(), &feed.Batch{Received: time.Now(), Messages: []*message.Message{m}}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		},
	}
}

func TestObservationDirectory(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			validatetest.TestSide(t, func(t *testing.T) validatetest.SideUnderTest {
				sink := dirConfig(t.TempDir())
				form(&sink)
				s := sideOf(sink, observe(t, sink, func(c *ObservationConfig) { c.Path = sink.Path }))
				dir, away := sink.mustDir(t), filepath.Join(t.TempDir(), "away")
				s.Down = func(t testing.TB) { rename(t, dir, away) }
				s.Up = func(t testing.TB) { rename(t, away, dir) }
				return s
			})
		})
	}
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestObservationAzure(t *testing.T) {
	for _, name := range []string{"ndjson.zst", "parquet"} {
		t.Run(name, func(t *testing.T) {
			validatetest.TestSide(t, func(t *testing.T) validatetest.SideUnderTest {
				c := testenv.Azurite(t)
				proxy := testenv.Proxy(t, c.Addr)
				sink := azureConfig(c, c.Addr)
				forms[name](&sink)
				side := observe(t, azureConfig(c, proxy.Addr), nil)
				s := sideOf(sink, side)
				s.Down, s.Up, s.Secret = func(testing.TB) { proxy.Refuse(); proxy.Cut() }, func(testing.TB) { proxy.Accept() }, c.AccountKey
				return s
			})
		})
	}
}
