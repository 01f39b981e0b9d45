package otlp

import (
	"context"
	"sync/atomic"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// reports sends metrics, and counts what becomes of each report.
type reports struct {
	sdkmetric.Exporter
	log *outages

	sent, failed atomic.Uint64
}

// Export sends a report. It has no error to return: it has counted and logged it.
func (r *reports) Export(ctx context.Context, all *metricdata.ResourceMetrics) error {
	err := r.Exporter.Export(ctx, all)
	if err != nil {
		r.failed.Add(1)
	} else {
		r.sent.Add(1)
	}
	r.log.note(err)
	return nil
}
