package blob

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
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
				s.Others = othersThan(t, sink)
				dir, away := sink.mustDir(t), filepath.Join(t.TempDir(), "away")
				s.Down = func(t testing.TB) { rename(t, dir, away) }
				s.Up = func(t testing.TB) { rename(t, away, dir) }
				return s
			})
		})
	}
}

// othersThan are observations of the same place or of another one, each with a
// setting that decides what is read or what is made of it.
func othersThan(t testing.TB, sink Config) (others []validate.Side) {
	for _, change := range []func(*ObservationConfig){
		func(c *ObservationConfig) { c.URL = feed.NewURL("file:///var/lib/feed") },
		func(c *ObservationConfig) { c.Prefix = "plant1" },
		func(c *ObservationConfig) { c.Path = "{date}" },
		func(c *ObservationConfig) { c.Path = "{date}/{hash}" },
		func(c *ObservationConfig) { c.Path, c.ExactlyOnce = "{date}", true },
		func(c *ObservationConfig) { c.Path, c.Slack = "{date}", time.Hour },
		func(c *ObservationConfig) { c.Layout = LayoutDelta },
		func(c *ObservationConfig) { c.Layout = LayoutParquet },
		func(c *ObservationConfig) { c.Layout, c.Columns.Device = LayoutParquet, "machine" },
		func(c *ObservationConfig) { c.Layout, c.Columns.Value = LayoutParquet, []string{"value", "raw"} },
		func(c *ObservationConfig) { c.Layout, c.Columns.Value = LayoutParquet, []string{"value raw"} },
		func(c *ObservationConfig) { c.Layout, c.Columns.TimeUnit = LayoutParquet, Seconds },
		func(c *ObservationConfig) { c.Layout, c.Columns.TimeStep = LayoutParquet, time.Second },
		func(c *ObservationConfig) { c.Memory = feed.MiB },
		func(c *ObservationConfig) { c.MaxObjectBytes = feed.MiB },
		func(c *ObservationConfig) { c.MaxLineBytes = feed.MiB },
	} {
		others = append(others, observe(t, sink, change))
	}
	return others
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestObservationAzure(t *testing.T) {
	t.Parallel() // it waits most of the time
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

// TestNarrowing: objects of other times are neither read nor, as far as the path
// begins with the time, listed; those within slack are.
func TestNarrowing(t *testing.T) {
	sink := dirConfig(t.TempDir())
	for hour := -30; hour <= 30; hour++ {
		r := sample(hour * 3600)
		r.Seq = uint64(hour + 100)
		put(t, sink, r)
	}
	o := observe(t, sink, func(c *ObservationConfig) { c.Path, c.Slack = sink.Path, 2*time.Hour })
	q := validate.Query{From: validatetest.Noon, To: validatetest.Noon.Add(time.Minute)}
	seqs, unreadable := everything(t, o, q)
	if fmt.Sprint(seqs) != "[100]" || len(unreadable) > 0 || o.Costs().Objects != 5 {
		t.Errorf("readings %v, unreadable %v, costs %+v", seqs, unreadable, o.Costs())
	}
	// Only what is listed can be told not to fit.
	writeFile(t, sink.mustDir(t), "2026-11-21/12/other.ndjson", nil)
	writeFile(t, sink.mustDir(t), "other.ndjson", nil)
	if _, unreadable = everything(t, o, q); len(unreadable) != 1 || !strings.Contains(unreadable["2026-11-21/12/other.ndjson"], "not one that the path") {
		t.Errorf("unreadable is %v", unreadable)
	}
}

// TestOrder: readings of a stream come as they came, whatever the names of objects
// look like, and a place that does not tell the order says so.
func TestOrder(t *testing.T) {
	sink := exactly(dirConfig(t.TempDir()))
	sink.Path = "telemetry"
	s := openSink(t, sink)
	resume(t, s)
	next := 0
	for _, n := range []int{5, 90, 7, 1000, 3} {
		var b feed.Batch
		for i := range n {
			r := sample((next + i) ^ 1) // neighbours have changed places
			r.Seq = uint64(next + i)
			b.Messages = append(b.Messages, messageOf(r))
		}
		publish(t, s, rangeOf(next, b.Messages...))
		next += n
	}
	o := observe(t, sink, func(c *ObservationConfig) { c.Path, c.ExactlyOnce = sink.Path, true })
	if !o.Traits().Ordered {
		t.Error("the traits do not say that it is ordered")
	}
	seqs, _ := everything(t, o, query())
	for i, seq := range seqs {
		if len(seqs) != next || seq != uint64(i) {
			t.Fatalf("%d readings; the one at %d is number %d", len(seqs), i, seq)
		}
	}
	for _, path := range []string{"", "{date}", "{meta.device}", "{route}"} {
		if observe(t, sink, func(c *ObservationConfig) { c.Path, c.ExactlyOnce = path, path != "" }).Traits().Ordered {
			t.Errorf("path %q is called ordered", path)
		}
	}
}

// TestArrival: a record tells when its object was stored, and where it stands.
func TestArrival(t *testing.T) {
	sink := dirConfig(t.TempDir())
	sink.Compression = Plain
	before := time.Now().Add(-time.Second)
	put(t, sink, samples(0, 3)...)
	n := int64(0)
	if err := observe(t, sink, nil).Read(t.Context(), query(), func(p validate.Page) error {
		for _, r := range p.Records {
			n++
			if at := time.Unix(0, r.Arrived); at.Before(before) || at.After(time.Now().Add(time.Second)) || r.Place.Position != n || !strings.HasSuffix(r.Place.Object, ".ndjson") {
				t.Errorf("%+v arrived at %s", r, at)
			}
		}
		return nil
	}); err != nil || n != 3 {
		t.Errorf("%d records, %v", n, err)
	}
}

func TestObservationConfig(t *testing.T) {
	for key, change := range map[string]func(*ObservationConfig){
		"url":              func(c *ObservationConfig) { c.URL = feed.URL{} },
		"layout":           func(c *ObservationConfig) { c.Layout = "csv" },
		"prefix":           func(c *ObservationConfig) { c.Prefix = "/x" },
		"path":             func(c *ObservationConfig) { c.Path = "{no}" },
		"slack":            func(c *ObservationConfig) { c.Slack = -1 },
		"parallel":         func(c *ObservationConfig) { c.Parallel = 0 },
		"memory":           func(c *ObservationConfig) { c.Memory = 1 },
		"maxObjectBytes":   func(c *ObservationConfig) { c.MaxObjectBytes = 1 },
		"maxLineBytes":     func(c *ObservationConfig) { c.MaxLineBytes = 1 },
		"tryTimeout":       func(c *ObservationConfig) { c.TryTimeout = 0 },
		"azure.identity":   func(c *ObservationConfig) { c.Azure.Identity = "me" },
		"columns.device":   func(c *ObservationConfig) { c.Layout, c.Columns.Device = LayoutDelta, "" },
		"columns.value":    func(c *ObservationConfig) { c.Layout, c.Columns.Value = LayoutDelta, nil },
		"columns.timeUnit": func(c *ObservationConfig) { c.Layout, c.Columns.TimeUnit = LayoutParquet, "h" },
		"columns.timeStep": func(c *ObservationConfig) { c.Layout, c.Columns.TimeStep = LayoutParquet, -1 },
	} {
		cfg := DefaultObservationConfig()
		cfg.URL = feed.NewURL("file:///var/lib/feed")
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		err := cfg.Validate()
		var ce *feed.ConfigError
		if !errors.As(err, &ce) || ce.Key != key {
			t.Errorf("%s: %v", key, err)
		}
	}
	for what, change := range map[string]func(*ObservationConfig){
		"path of another layout":    func(c *ObservationConfig) { c.Layout, c.Path = LayoutDelta, "hive" },
		"path and prefix":           func(c *ObservationConfig) { c.Prefix, c.Path = "x", "hive" },
		"exactlyOnce without path":  func(c *ObservationConfig) { c.ExactlyOnce = true },
		"exactlyOnce with a {hash}": func(c *ObservationConfig) { c.ExactlyOnce, c.Path = true, "{hash}" },
	} {
		cfg := DefaultObservationConfig()
		cfg.URL = feed.NewURL("file:///var/lib/feed")
		change(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// TestTakeFailsOnce: after an error no worker hands out anything, also when it has
// read its object.
func TestTakeFailsOnce(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		writeFile(t, dir, fmt.Sprintf("%d.ndjson", i), encoded(t, forms["ndjson"], samples(i*2000, 2*pageRecords)...))
	}
	o := observe(t, dirConfig(dir), func(c *ObservationConfig) { c.Parallel = 4 })
	var objects atomic.Int64
	several := make(chan struct{})
	o.archive = &between{o.archive, func(Object, int64) error {
		if objects.Add(1) == 4 {
			close(several)
		}
		return nil
	}}
	refused := errors.New("not this page")
	calls := 0
	err := o.Read(t.Context(), query(), func(validate.Page) error {
		<-several // of which two at least will have been read when this fails
		calls++
		return refused
	})
	if !errors.Is(err, refused) || calls != 1 {
		t.Errorf("take was called %d times, and read returned %v", calls, err)
	}
}
