package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// startWith is [Start] with less patience.
func startWith(t *testing.T, patience time.Duration, settings config.Plugins) *Host {
	t.Helper()
	h, err := start(t.Context(), settings, patience, testLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// gated writes a plugin that starts once somebody has opened the returned pipe for
// writing.
func gated(t *testing.T, how string) (_ config.Plugin, open func()) {
	t.Helper()
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	p := script(t, filepath.Join(t.TempDir(), "acme"), how, "read line <"+gate)
	return p, func() {
		f, err := os.OpenFile(gate, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// stages are the stages of all kinds that a route or a comparison can have of plugin
// acme, made by looking them up by name.
type stages struct {
	source    message.Subscriber
	transform feed.Transform
	sink      message.Publisher
	codec     batch.Instance
}

func lookUp(t *testing.T, h *Host, k feed.Kind, name, document string) (feed.Factory, feed.StageConfig) {
	t.Helper()
	f, ok := h.Otherwise(k, name)
	if !ok || f.Kind != k || f.Name != name {
		t.Fatalf("no %s %s", k, name)
	}
	c := f.NewConfig()
	c.(config.DocumentConfig).SetDocument([]byte(document))
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return f, c
}

func lateStages(t *testing.T, h *Host, out string) stages {
	t.Helper()
	env := feed.StageEnv{Feed: "test", Route: "test", Logger: testLogger(t)}
	var s stages
	var errs [4]error
	f, c := lookUp(t, h, feed.KindSource, "counter", `{"count": 7}`)
	s.source, errs[0] = f.Source(c, env)
	f, c = lookUp(t, h, feed.KindTransform, "stamp", `{"mark": "+"}`)
	s.transform, errs[1] = f.Transform(c, env)
	f, c = lookUp(t, h, feed.KindSink, "file", fmt.Sprintf(`{"path": %q}`, out))
	if !c.(feed.DurableConfig).Durable() {
		t.Error("a sink that takes nothing is said to lose it")
	}
	s.sink, errs[2] = f.Sink(c, env)
	f, c = lookUp(t, h, feed.KindCodec, "columnar", `{}`)
	s.codec, errs[3] = batch.NewCodec(f, c, env)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return s
}

// A plugin that does not come up holds up nobody for long. Its stages fail with a
// reason, not for ever: once it is there they work.
func TestLate(t *testing.T) {
	p, letStart := gated(t, "stages")
	begun := time.Now()
	h := startWith(t, 300*time.Millisecond, testSettings(t, p, script(t, filepath.Join(t.TempDir(), "other"), "raw")))
	if took := time.Since(begun); took > 20*time.Second { // the plugin's own time for its start is 30 s
		t.Errorf("the start took %v", took)
	}
	<-h.plugins[1].asked
	if st := h.Plugins(); !strings.Contains(st[0].Error, "it is being started") || st[1].Error != "" || st[0].State != StateStarting || st[1].State != StateRunning {
		t.Errorf("got %+v", st)
	}
	out := filepath.Join(t.TempDir(), "out")
	s := lateStages(t, h, out)
	check := func(what string, err error) {
		t.Helper()
		if want := "there is no " + what + ": plugin acme is left out: it has not said yet what it has"; err == nil || feed.IsPermanent(err) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	_, err := s.source.(feed.BatchSubscriber).SubscribeBatch(t.Context(), "")
	check(`source "counter"`, err)
	_, err = s.source.Subscribe(t.Context(), "")
	check(`source "counter"`, err)
	check(`transform "stamp"`, s.transform.Batch(t.Context(), []*message.Message{{}})[0].Err)
	check(`transform "stamp"`, s.transform.Probe(t.Context()))
	check(`sink "file"`, s.sink.Publish("", &message.Message{}))
	check(`sink "file"`, s.sink.(feed.BatchPublisher).PublishBatch(t.Context(), feed.NewBatch()))
	check(`sink "file"`, s.sink.(feed.Prober).Probe(t.Context()))
	_, err = s.codec.Append(nil, nil)
	check(`codec "columnar"`, err)
	check(`codec "columnar"`, s.codec.Probe(t.Context()))
	var unavailable *batch.Unavailable
	if _, err = s.codec.Decode(nil, nil, batch.Limits{}); !errors.As(err, &unavailable) {
		t.Errorf("got %v", err)
	}
	check(`codec "columnar"`, err)
	f, c := lookUp(t, h, feed.KindExpectation, "memory", "{}")
	_, err = validate.NewExpectation(f, c, feed.StageEnv{Logger: testLogger(t)})
	check(`expectation "memory"`, err)
	if _, ok := h.Otherwise(feed.KindObservation, "acme"); ok {
		t.Error("no plugin has observations")
	}

	letStart()
	<-h.plugins[0].asked
	if _, ok := h.Otherwise(feed.KindTransform, "nobody"); ok {
		t.Error("a stage that nobody has is there when all plugins have answered")
	}
	fd, err := feed.New(feed.Options{Logger: testLogger(t)}, feed.Route{Name: "test", Source: s.source, Transforms: []feed.Transform{s.transform}, Sink: s.sink})
	if err != nil {
		t.Fatal(err)
	}
	if err := fd.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(out); err != nil || string(text) != "n:0+\nn:1+\nn:2+\nn:3+\nn:4+\nn:5+\nn:6+\n" {
		t.Errorf("got %q, %v", text, err)
	}
	body, err := s.codec.Append(nil, []reading.Reading{{Device: "press-1", Tag: "t", Value: reading.OfInt(7)}})
	if err != nil {
		t.Error(err)
	}
	if got, err := s.codec.Decode(nil, body, batch.Limits{}); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	expectation, err := validate.NewExpectation(f, c, feed.StageEnv{Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.codec.Close(), expectation.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.codec.Append(nil, nil); err == nil {
		t.Error("a codec that is closed makes something")
	}
}

// What is wrong with the settings of a stage that is late is said, as often as it is
// asked, and ends no route. A sink that would lose messages takes none.
func TestLateMistakes(t *testing.T) {
	p, letStart := gated(t, "stages")
	h := startWith(t, time.Millisecond, testSettings(t, p))
	env := feed.StageEnv{Feed: "test", Route: "test", Logger: testLogger(t)}
	f, c := lookUp(t, h, feed.KindTransform, "stamp", "{}")
	transform, err := f.Transform(c, env)
	if err != nil {
		t.Fatal(err)
	}
	f, c = lookUp(t, h, feed.KindSink, "file", "{}")
	sink, err := f.Sink(c, env)
	if err != nil {
		t.Fatal(err)
	}
	letStart()
	<-h.plugins[0].asked
	for range 2 {
		err = transform.Batch(t.Context(), []*message.Message{{}})[0].Err
		var mistake *feed.ConfigError
		if err == nil || feed.IsPermanent(err) || errors.As(err, &mistake) || !strings.HasPrefix(err.Error(), "the settings of transform stamp are refused: mark: is missing (write a text): mend the file") {
			t.Errorf("got %v", err)
		}
		err = sink.(feed.Prober).Probe(t.Context())
		if err == nil || feed.IsPermanent(err) || !strings.HasPrefix(err.Error(), "sink file is not durable with these settings") {
			t.Errorf("got %v", err)
		}
	}
	if err := errors.Join(transform.Close(), sink.Close()); err != nil {
		t.Error(err)
	}
}

// A plugin that always fails while it is asked about settings says so to who checks a
// file, and does not keep a feed from starting; one that fails once is asked again.
func TestUnasked(t *testing.T) {
	settings := testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "raw"))
	settings.Limits.Restarts, settings.Limits.Within = 2, time.Hour
	for _, c := range []struct {
		how  string
		want string // of a host that is to say so
	}{
		{"exit", "plugin acme: it was started again 2 times within 1h0m0s, which is its budget, the last time because of: exit status 1"},
		{"exit once " + filepath.Join(t.TempDir(), "once"), ""},
	} {
		validated := func(h *Host) error {
			f := factory(t, h, feed.KindTransform)
			config := f.NewConfig()
			config.(interface{ SetDocument([]byte) }).SetDocument([]byte(c.how))
			err := config.Validate()
			tr, madeErr := f.Transform(config, feed.StageEnv{Logger: testLogger(t)})
			if madeErr != nil {
				t.Fatal(madeErr)
			}
			if h.patience > 0 {
				if got := tr.Batch(t.Context(), []*message.Message{{}})[0].Err; got == nil || feed.IsPermanent(got) {
					t.Errorf("got %v", got)
				}
			}
			if err := tr.Close(); err != nil {
				t.Error(err)
			}
			return err
		}
		err := validated(open(t, settings))
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.how, err)
		}
		if err := validated(startWith(t, time.Minute, settings)); err != nil {
			t.Errorf("a feed does not start: %v", err)
		}
	}
}

// One that hangs while it is asked about settings is waited for once, not for each of
// its stages, and is not killed for it before its time.
func TestUnaskedHangs(t *testing.T) {
	h := startWith(t, time.Minute, testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "raw")))
	h.patience = 200 * time.Millisecond
	begun := time.Now()
	var c feed.StageConfig
	for range 100 {
		c = factory(t, h, feed.KindTransform).NewConfig()
		c.(config.DocumentConfig).SetDocument([]byte("hang"))
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
	}
	late, err := factory(t, h, feed.KindTransform).Transform(c, feed.StageEnv{Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := late.Probe(ctx); !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if p := h.Plugins()[0]; len(p.Restarts) > 0 {
		t.Errorf("got %+v", p)
	}
}
