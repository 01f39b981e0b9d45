package otlp

import (
	"context"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// spanQueue has spans wait until they are sent, a bounded number, and counts what
// becomes of each. It does so around the SDK's own queue, which drops in silence.
type spanQueue struct {
	sdktrace.SpanProcessor
	sender sdktrace.SpanExporter
	log    *outages

	waiting               atomic.Int64
	sent, failed, dropped atomic.Uint64
}

func newSpanQueue(sender sdktrace.SpanExporter, log *outages) *spanQueue {
	q := &spanQueue{sender: sender, log: log}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor((*counted)(q),
		sdktrace.WithMaxQueueSize(mostWaiting), sdktrace.WithMaxExportBatchSize(mostAtOnce),
		sdktrace.WithBatchTimeout(longestWait), sdktrace.WithExportTimeout(longestExport),
	)
	return q
}

// OnEnd takes a span that has ended. It never blocks: what waits in the SDK's queue
// is counted here, so that it always has room for what gets there.
func (q *spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	if q.waiting.Add(1) > mostWaiting {
		q.waiting.Add(-1)
		q.dropped.Add(1)
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// abandon counts what is left after a shutdown as dropped, and returns its number.
func (q *spanQueue) abandon() int64 {
	left := q.waiting.Swap(0)
	q.dropped.Add(uint64(left))
	return left
}

// counted is the queue as what the SDK sends by.
type counted spanQueue

// ExportSpans sends spans. It has no error to return: it has counted and logged it.
func (c *counted) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.sender.ExportSpans(ctx, spans)
	c.waiting.Add(-int64(len(spans)))
	if err != nil {
		c.failed.Add(uint64(len(spans)))
	} else {
		c.sent.Add(uint64(len(spans)))
	}
	c.log.note(err)
	return nil
}

// Shutdown ends the connection.
func (c *counted) Shutdown(ctx context.Context) error { return c.sender.Shutdown(ctx) }
