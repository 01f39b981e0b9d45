package otlp

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/kraft-edge/datafeed/feed"
)

const (
	// mostLed is how many of the messages made of a delivery lead on.
	mostLed = 128
	// mostLinks is how many links a span has.
	mostLinks = 128
	// mostPlaces is of how many messages made of a delivery a span tells where they
	// stand.
	mostPlaces = 16
)

// The metadata of W3C Trace Context.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
)

// notSampled is how a traceparent of version 00 ends that is not to be followed.
const notSampled = "-00"

// tracer chooses the deliveries that are followed.
type tracer struct {
	tracer trace.Tracer
	ratio  float64
}

func newTracer(t trace.Tracer, ratio float64) *tracer { return &tracer{tracer: t, ratio: ratio} }

// Follow implements [feed.Tracer].
func (t *tracer) Follow(hop *feed.Hop, m *message.Message, received time.Time) feed.Span {
	ctx := context.Background()
	switch said := m.Metadata[traceparent]; {
	case strings.HasSuffix(said, notSampled):
		return nil
	case said != "":
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(m.Metadata))
		if parent := trace.SpanContextFromContext(ctx); parent.IsValid() && !parent.IsSampled() || !parent.IsValid() && !t.drawn() {
			return nil
		}
	case !t.drawn():
		return nil
	}
	ctx, began := t.tracer.Start(ctx, "process "+hop.Route, trace.WithTimestamp(received), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.destination.name", feed.Topic(m)),
		attribute.String("messaging.message.id", m.UUID),
		attribute.Int("messaging.message.body.size", len(m.Payload)),
		attribute.String("datafeed.route", hop.Route), attribute.String("datafeed.source", hop.Source), attribute.String("datafeed.sink", hop.Sink),
	))
	return &span{ctx: ctx, span: began}
}

// drawn draws lots.
func (t *tracer) drawn() bool { return rand.Float64() < t.ratio }

// Published implements [feed.Tracer].
func (t *tracer) Published(hop *feed.Hop, spans []feed.Span, messages int, began time.Time, err error) {
	first, others := spans[0].(*span), spans[1:min(len(spans), mostLinks+1)]
	links := make([]trace.Link, len(others))
	for i, s := range others {
		links[i] = trace.LinkFromContext(s.(*span).ctx)
	}
	_, sent := t.tracer.Start(first.ctx, "send "+hop.Sink, trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindProducer), trace.WithLinks(links...), trace.WithAttributes(
		attribute.String("messaging.operation.type", "send"),
		attribute.Int("messaging.batch.message_count", messages),
		attribute.Int("datafeed.followed", len(spans)),
		attribute.String("datafeed.route", hop.Route), attribute.String("datafeed.sink", hop.Sink),
	))
	if err != nil {
		sent.SetStatus(codes.Error, firstLine(err.Error()))
	}
	sent.End()
}

// span is that of a delivery.
type span struct {
	ctx  context.Context // holds it
	span trace.Span
	made int // messages
	told int // places
}

// Lead implements [feed.Span].
func (s *span) Lead(index int, m *message.Message) {
	s.made = max(s.made, index+1)
	if index < mostLed {
		propagation.TraceContext{}.Inject(s.ctx, propagation.MapCarrier(m.Metadata))
		return
	}
	delete(m.Metadata, traceparent) // which a transform may have taken over
	delete(m.Metadata, tracestate)
}

// Placed implements [feed.Span].
func (s *span) Placed(at feed.Place) {
	if s.told++; s.told > mostPlaces {
		return
	}
	s.span.AddEvent("stored", trace.WithAttributes(attribute.String("datafeed.object", at.Object), attribute.Int64("datafeed.position", at.Position)))
}

// Refused implements [feed.Span].
func (s *span) Refused(reason string) { s.span.SetStatus(codes.Error, firstLine(reason)) }

// End implements [feed.Span].
func (s *span) End(outcome feed.Outcome, reason string) {
	s.span.SetAttributes(attribute.String("datafeed.outcome", outcome.String()), attribute.Int("datafeed.messages", s.made))
	if reason != "" {
		s.span.SetAttributes(attribute.String("datafeed.reason", reason))
	}
	if outcome == feed.Returned {
		s.span.SetStatus(codes.Error, "given back: "+reason)
	}
	s.span.End()
}

// TraceID implements [feed.Span].
func (s *span) TraceID() string { return s.span.SpanContext().TraceID().String() }

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
