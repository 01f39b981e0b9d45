package otlp

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/otlp/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	someTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	someParent = "00f067aa0ba902b7"
	sampled    = "00-" + someTrace + "-" + someParent + "-01"
	unsampled  = "00-" + someTrace + "-" + someParent + "-00"
)

var hop = &feed.Hop{Feed: "line", Route: "telemetry", Source: "amqp", Sink: "mqtt"}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func open(t *testing.T, c config.OTLP, logger *slog.Logger) *Exporter {
	t.Helper()
	e, err := Open(t.Context(), c, "line", "1.2.3", logger)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func withMetadata(md message.Metadata) *message.Message {
	m := message.NewMessage("id", []byte("payload"))
	m.Metadata = md
	return m
}

// TestWhatIsFollowed: what comes with a sampled traceparent, always; what says not to be
// followed, never; and of the rest a share.
func TestWhatIsFollowed(t *testing.T) {
	r := otlptest.NewReceiver(t)
	for _, tt := range []struct {
		name        string
		ratio       float64
		traceparent string
		followed    bool
		trace       string // empty: a new one
	}{
		{"sampled", 0, sampled, true, someTrace},
		{"sampled, of a later version", 0, "01-" + someTrace + "-" + someParent + "-01-more", true, someTrace},
		{"not sampled", 1, unsampled, false, ""},
		{"not sampled, with another flag", 1, "00-" + someTrace + "-" + someParent + "-02", false, ""},
		{"none, all", 1, "", true, ""},
		{"none, nothing", 0, "", false, ""},
		{"malformed, all", 1, "00-" + strings.Repeat("0", 32) + "-" + someParent + "-01", true, ""},
		{"malformed, nothing", 0, "nonsense", false, ""},
	} {
		e := open(t, config.OTLP{Endpoint: r.URL, Traces: config.OTLPTraces{Ratio: tt.ratio}}, quiet())
		m := withMetadata(message.Metadata{})
		if tt.traceparent != "" {
			m.Metadata["traceparent"] = tt.traceparent
		}
		s := e.Follow(hop, m, time.Now())
		if (s != nil) != tt.followed {
			t.Errorf("%s: followed: %v", tt.name, s != nil)
		}
		if s != nil {
			made := withMetadata(message.Metadata{})
			s.Lead(0, made)
			if same := s.TraceID() == someTrace; same != (tt.trace != "") || !strings.Contains(made.Metadata["traceparent"], "-"+s.TraceID()+"-") ||
				strings.Contains(made.Metadata["traceparent"], someParent) || !strings.HasSuffix(made.Metadata["traceparent"], "-01") {
				t.Errorf("%s: trace %s, leads with %s", tt.name, s.TraceID(), made.Metadata["traceparent"])
			}
			s.End(feed.Delivered, "")
		}
		e.Close()
	}
}

// TestShare draws lots: a tenth is a tenth, within five standard deviations.
func TestShare(t *testing.T) {
	e := open(t, config.OTLP{Endpoint: "http://127.0.0.1:1", Traces: config.OTLPTraces{Ratio: 0.1}}, quiet())
	defer e.Close()
	followed := 0
	for range 10_000 {
		if e.Follow(hop, withMetadata(nil), time.Now()) != nil {
			followed++
		}
	}
	if followed < 850 || followed > 1150 {
		t.Errorf("%d of 10,000 are followed, want 1,000", followed)
	}
}

// TestFanOutAndFanInAreBounded: a batch of 1,000 readings leads with 128 of them, and a call
// of the sink with 1,000 that are followed has 128 links.
func TestFanOutAndFanInAreBounded(t *testing.T) {
	r := otlptest.NewReceiver(t)
	e := open(t, config.OTLP{Endpoint: r.URL, Traces: config.OTLPTraces{Ratio: 1}}, quiet())
	batch := e.Follow(hop, withMetadata(message.Metadata{"traceparent": sampled, "tracestate": "a=b"}), time.Now())
	led := 0
	for i := range 1000 {
		m := withMetadata(message.Metadata{"traceparent": sampled, "tracestate": "a=b"}) // as a transform may copy it
		batch.Lead(i, m)
		switch leads := m.Metadata["traceparent"] != ""; {
		case leads && (m.Metadata["traceparent"] == sampled || m.Metadata["tracestate"] != "a=b"), !leads && m.Metadata["tracestate"] != "":
			t.Fatalf("message %d: %v", i, m.Metadata)
		case leads:
			led++
		}
		batch.Placed(feed.Place{Object: fmt.Sprint(i)})
	}
	batch.End(feed.Delivered, "")
	var spans []feed.Span
	for range 1000 {
		spans = append(spans, e.Follow(hop, withMetadata(nil), time.Now()))
	}
	e.Published(hop, spans, 5000, time.Now(), fmt.Errorf("busy\nwith a stack"))
	for _, s := range spans {
		s.End(feed.Returned, "sink down")
	}
	e.Close()
	if led != mostLed {
		t.Errorf("%d messages lead on", led)
	}
	all := r.Spans()
	if len(all) != 1002 {
		t.Fatalf("%d spans", len(all))
	}
	for _, s := range all {
		switch s.Name {
		case "send mqtt":
			if len(s.Links) != mostLinks || s.Trace != spans[0].TraceID() || s.Links[0] != spans[1].TraceID() || s.Failed != "busy" {
				t.Errorf("%d links, %+v", len(s.Links), s)
			}
		default:
			if s.Trace == someTrace {
				if s.Parent != someParent || len(s.Places) != mostPlaces || s.Attributes["datafeed.outcome"] != "delivered" || s.Service != "line" || s.Failed != "" {
					t.Errorf("the batch: %+v", s)
				}
			} else if s.Attributes["datafeed.reason"] != "sink down" || s.Failed != "given back: sink down" {
				t.Errorf("%+v", s)
			}
		}
	}
}

// TestReceiverThatIsDownCostsNothing: spans beyond what may wait are dropped without
// waiting, those that it refuses are counted, and the log says so once.
func TestReceiverThatIsDownCostsNothing(t *testing.T) {
	r, log := otlptest.NewReceiver(t), &bytes.Buffer{}
	r.Refuse(http.StatusForbidden)
	e := open(t, config.OTLP{Endpoint: r.URL, Traces: config.OTLPTraces{Ratio: 1}}, slog.New(slog.NewTextHandler(log, nil)))
	follow := func(n int) {
		for range n {
			e.Follow(hop, withMetadata(nil), time.Now()).End(feed.Delivered, "")
		}
	}
	follow(mostAtOnce)
	r.Await(t, time.Minute, "a request to be refused", func() bool { return r.Headers() != nil })
	const n = 10 * mostWaiting
	follow(n)
	e.Close()
	f := e.Figures()
	if f.SpansSent != 0 || f.SpansDropped == 0 || f.SpansFailed == 0 || f.SpansFailed+f.SpansDropped != n+mostAtOnce {
		t.Errorf("%+v", f)
	}
	if text := log.String(); strings.Count(text, "traces are lost") != 1 || !strings.Contains(text, "403") {
		t.Errorf("log:\n%s", text)
	}
}

// TestReceiverThatNeverAnswersEndsInTime closes within its time, and counts what was
// not sent.
func TestReceiverThatNeverAnswersEndsInTime(t *testing.T) {
	release := make(chan struct{})
	r := otlptest.NewReceiver(t)
	r.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	e := open(t, config.OTLP{Endpoint: r.URL, Traces: config.OTLPTraces{Ratio: 1}}, quiet())
	for range 700 {
		e.Follow(hop, withMetadata(nil), time.Now()).End(feed.Delivered, "")
	}
	begin := time.Now()
	e.Close()
	if took := time.Since(begin); took > 2*longestClose {
		t.Errorf("closed after %v", took)
	}
	if f := e.Figures(); f.SpansSent != 0 || f.SpansFailed+f.SpansDropped != 700 {
		t.Errorf("%+v", f)
	}
}

// TestHeadersAreReadAnew: a renewed token counts from the next request on, and one that
// is not there is told.
func TestHeadersAreReadAnew(t *testing.T) {
	r, log := otlptest.NewReceiver(t), &bytes.Buffer{}
	file := filepath.Join(t.TempDir(), "token")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=environment,other=environment")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	for i, token := range []string{"one", "two", ""} {
		if token == "" {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		e := open(t, config.OTLP{Endpoint: r.URL + "/", Headers: map[string]feed.Secret{"Authorization": feed.SecretFile(file)}, Traces: config.OTLPTraces{Ratio: 1}}, slog.New(slog.NewTextHandler(log, nil)))
		e.Follow(hop, withMetadata(nil), time.Now()).End(feed.Delivered, "")
		e.Close()
		if f := e.Figures(); token != "" && (r.Headers().Get("Authorization") != token || r.Headers().Get("Other") != "" || len(r.Spans()) != i+1) {
			t.Errorf("%s: %v, %+v", token, r.Headers(), f)
		} else if token == "" && f.SpansFailed != 1 {
			t.Errorf("without a token: %+v", f)
		}
	}
	if !strings.Contains(log.String(), "otlp.headers.Authorization") {
		t.Errorf("log:\n%s", log)
	}
}

// TestMetricsAreThoseOfTheRegistry, also once more when the feed ends.
func TestMetricsAreThoseOfTheRegistry(t *testing.T) {
	r := otlptest.NewReceiver(t)
	e := open(t, config.OTLP{Endpoint: r.URL, Metrics: config.OTLPMetrics{Interval: time.Second}}, quiet())
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "datafeed_things_total"})
	registry.MustRegister(counter)
	counter.Add(7)
	if err := e.SendMetrics(t.Context(), registry); err != nil {
		t.Fatal(err)
	}
	r.Await(t, time.Minute, "the metric", func() bool {
		v, ok := r.Metric("datafeed_things_total")
		return ok && v == 7
	})
	counter.Add(1)
	e.Close()
	if v, _ := r.Metric("datafeed_things_total"); v != 8 {
		t.Errorf("in the end: %v", v)
	}
	if f := e.Figures(); f.Reports == 0 || f.Reports+f.ReportsFailed < 2 { // closing may cut one short whose answer is on its way
		t.Errorf("%+v", f)
	}
}

func TestIgnoredVariables(t *testing.T) {
	got := IgnoredVariables([]string{"PATH=/bin", "OTEL_EXPORTER_OTLP_ENDPOINT=https://x", "OTEL_RESOURCE_ATTRIBUTES=a=b", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="})
	if want := []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestOpenNamesWhatItCannotRead(t *testing.T) {
	_, err := Open(t.Context(), config.OTLP{Endpoint: "https://x", TLS: config.OTLPTLS{CAFile: "/nowhere"}}, "line", "", quiet())
	if err == nil || !strings.Contains(err.Error(), "otlp: read tls.caFile") {
		t.Errorf("%v", err)
	}
}
