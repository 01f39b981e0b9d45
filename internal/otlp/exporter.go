package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promsource "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

const (
	mostWaiting   = 4096             // spans
	mostAtOnce    = 512              // of them in a request
	longestWait   = 2 * time.Second  // until what waits is sent
	longestExport = 10 * time.Second // of one request, tries included
	longestClose  = 2 * time.Second
)

// Exporter sends telemetry. It is for concurrent use.
type Exporter struct {
	*tracer
	config   config.OTLP
	client   *http.Client
	resource *resource.Resource
	logger   *slog.Logger
	spans    *spanQueue
	traces   *sdktrace.TracerProvider
	reports  *reports                 // of the metrics
	metrics  *sdkmetric.MeterProvider // nil: none are sent
}

// Open makes an exporter of the telemetry of a feed. It reads the files that the
// configuration names, and does no other I/O: a receiver that is not there is no
// error.
func Open(ctx context.Context, c config.OTLP, feedName, version string, logger *slog.Logger) (*Exporter, error) {
	client, err := newClient(c)
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	instance, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("otlp: name of this machine: %w", err)
	}
	e := &Exporter{
		config: c, client: client, logger: logger, reports: &reports{log: &outages{logger: logger, what: "metrics"}},
		resource: resource.NewSchemaless(
			attribute.String("service.namespace", "datafeed"), attribute.String("service.name", feedName),
			attribute.String("service.version", version), attribute.String("service.instance.id", instance),
		),
	}
	sender, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(e.url("v1/traces")), otlptracehttp.WithHTTPClient(client), otlptracehttp.WithHeaders(map[string]string{}),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithTimeout(longestExport), otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 4 * time.Second, MaxElapsedTime: longestExport}),
	)
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	// The SDK takes these from the environment unless they are said here.
	e.spans = newSpanQueue(sender, &outages{logger: logger, what: "traces"})
	e.traces = sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(e.spans), sdktrace.WithResource(e.resource), sdktrace.WithSampler(sdktrace.AlwaysSample()), // the tracer has chosen before
		sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit: 1024, AttributeCountLimit: 32, EventCountLimit: 32, LinkCountLimit: mostLinks, AttributePerEventCountLimit: 8, AttributePerLinkCountLimit: 8,
		}),
	)
	e.tracer = newTracer(e.traces.Tracer("github.com/kraft-edge/datafeed"), c.Traces.Ratio)
	return e, nil
}

// SendMetrics begins to send what g gathers, if the configuration says how often.
func (e *Exporter) SendMetrics(ctx context.Context, g prometheus.Gatherer) error {
	if e.config.Metrics.Interval == 0 {
		return nil
	}
	sender, err := otlpmetrichttp.New(ctx,
		otlpmetrichttp.WithEndpointURL(e.url("v1/metrics")), otlpmetrichttp.WithHTTPClient(e.client), otlpmetrichttp.WithHeaders(map[string]string{}),
		otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression), otlpmetrichttp.WithTimeout(longestExport),
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 4 * time.Second, MaxElapsedTime: longestExport}),
		otlpmetrichttp.WithTemporalitySelector(sdkmetric.DefaultTemporalitySelector), otlpmetrichttp.WithAggregationSelector(sdkmetric.DefaultAggregationSelector),
	)
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	e.reports.Exporter = sender
	e.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithResource(e.resource), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(e.reports,
		sdkmetric.WithInterval(e.config.Metrics.Interval), sdkmetric.WithTimeout(longestExport),
		sdkmetric.WithProducer(promsource.NewMetricProducer(promsource.WithGatherer(g))),
	)))
	return nil
}

// Close sends what waits, within two seconds, and counts what is left as dropped.
func (e *Exporter) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), longestClose)
	defer cancel()
	// The exporters below have counted and logged what they could not send.
	if err := e.traces.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		e.logger.Warn("otlp: traces were not closed well", "error", err)
	}
	if left := e.spans.abandon(); left > 0 {
		e.logger.Warn("otlp: the feed ends with spans that were not sent", "spans", left)
	}
	if e.metrics != nil {
		if err := e.metrics.Shutdown(ctx); err != nil {
			e.logger.Warn("otlp: the last report of the metrics was not sent", "error", err)
		}
	}
	e.client.CloseIdleConnections()
}

// Figures are what became of telemetry since the start.
type Figures struct {
	SpansSent, SpansFailed, SpansDropped uint64
	Reports, ReportsFailed               uint64 // of the metrics
}

// Figures returns them.
func (e *Exporter) Figures() Figures {
	return Figures{
		SpansSent: e.spans.sent.Load(), SpansFailed: e.spans.failed.Load(), SpansDropped: e.spans.dropped.Load(),
		Reports: e.reports.sent.Load(), ReportsFailed: e.reports.failed.Load(),
	}
}

// url returns the address for a signal.
func (e *Exporter) url(signal string) string {
	return strings.TrimSuffix(e.config.Endpoint, "/") + "/" + signal
}

// IgnoredVariables names those variables of the environment that would direct the
// telemetry of other programs, and have no effect here.
func IgnoredVariables(environ []string) []string {
	var names []string
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OTEL_EXPORTER_OTLP_") {
			names = append(names, name)
		}
	}
	return names
}

// LogSDK has what the OpenTelemetry SDK itself has to complain about logged.
// It is for the whole process.
func LogSDK(logger *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("otlp", "error", err) }))
}

var _ feed.Tracer = (*Exporter)(nil)
