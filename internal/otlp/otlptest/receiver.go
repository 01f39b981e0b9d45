// Package otlptest is a receiver of OTLP over HTTP, for tests.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span that has arrived.
type Span struct {
	Service           string
	Name              string
	Trace, ID, Parent string   // in hexadecimal
	Links             []string // the traces
	Attributes        map[string]string
	Places            []string // objects that its events name
	Begin, End        time.Time
	Failed            string // the message of its status, if that is an error
}

// Receiver takes traces and metrics.
type Receiver struct {
	*httptest.Server

	mu      sync.Mutex
	refuse  int // status that it answers with
	spans   []Span
	metrics map[string]float64 // the last value of each
	headers http.Header        // of the last request
	arrived chan struct{}      // closed and made anew with each request
}

// NewReceiver starts a receiver that ends with the test; its URL is the endpoint.
func NewReceiver(tb testing.TB) *Receiver {
	tb.Helper()
	r := &Receiver{metrics: map[string]float64{}, arrived: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, req *http.Request) {
		var m collectortrace.ExportTraceServiceRequest
		r.take(tb, w, req, &m, func() { r.takeSpans(&m) })
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, req *http.Request) {
		var m collectormetrics.ExportMetricsServiceRequest
		r.take(tb, w, req, &m, func() { r.takeMetrics(&m) })
	})
	r.Server = httptest.NewServer(mux)
	tb.Cleanup(r.Close)
	return r
}

// Refuse has the receiver answer with a status; 0 has it take what comes.
func (r *Receiver) Refuse(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = status
}

// Spans returns all that have arrived.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Metric returns the sum of the last values of a metric, and whether it has arrived.
func (r *Receiver) Metric(name string) (float64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.metrics[name]
	return v, ok
}

// Headers returns those of the last request.
func (r *Receiver) Headers() http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.headers
}

// Await waits until a condition holds, which it asks for after each request.
func (r *Receiver) Await(tb testing.TB, d time.Duration, what string, condition func() bool) {
	tb.Helper()
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		arrived := r.arrived
		r.mu.Unlock()
		if condition() {
			return
		}
		select {
		case <-arrived:
		case <-deadline.C:
			tb.Fatalf("waited %v in vain for %s; %d spans arrived", d, what, len(r.Spans()))
		}
	}
}

// take reads a request.
func (r *Receiver) take(tb testing.TB, w http.ResponseWriter, req *http.Request, m proto.Message, keep func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() {
		close(r.arrived)
		r.arrived = make(chan struct{})
	}()
	r.headers = req.Header.Clone()
	if r.refuse != 0 {
		w.WriteHeader(r.refuse)
		return
	}
	body, err := gzip.NewReader(req.Body)
	var raw []byte
	if err == nil {
		raw, err = io.ReadAll(body)
	}
	if err == nil {
		err = proto.Unmarshal(raw, m)
	}
	if err != nil || req.Header.Get("Content-Type") != "application/x-protobuf" {
		tb.Errorf("%s: no protobuf in gzip: %v", req.URL, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	keep()
}

func (r *Receiver) takeSpans(m *collectortrace.ExportTraceServiceRequest) {
	for _, of := range m.ResourceSpans {
		service := ""
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				r.spans = append(r.spans, spanOf(service, s))
			}
		}
	}
}

func spanOf(service string, s *tracepb.Span) Span {
	made := Span{
		Service: service, Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
		Attributes: map[string]string{}, Begin: time.Unix(0, int64(s.StartTimeUnixNano)), End: time.Unix(0, int64(s.EndTimeUnixNano)),
	}
	for _, a := range s.Attributes {
		made.Attributes[a.Key] = a.Value.GetStringValue()
	}
	for _, l := range s.Links {
		made.Links = append(made.Links, hex.EncodeToString(l.TraceId))
	}
	for _, e := range s.Events {
		for _, a := range e.Attributes {
			if a.Key == "datafeed.object" {
				made.Places = append(made.Places, a.Value.GetStringValue())
			}
		}
	}
	if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		made.Failed = s.Status.Message
	}
	return made
}

func (r *Receiver) takeMetrics(m *collectormetrics.ExportMetricsServiceRequest) {
	for _, of := range m.ResourceMetrics {
		for _, scope := range of.ScopeMetrics {
			for _, metric := range scope.Metrics {
				points := slices.Concat(metric.GetSum().GetDataPoints(), metric.GetGauge().GetDataPoints())
				sum := 0.0
				for _, p := range points {
					sum += p.GetAsDouble()
				}
				r.metrics[metric.Name] = sum
			}
		}
	}
}
