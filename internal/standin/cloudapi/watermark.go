package cloudapi

import (
	"context"
	"database/sql"
)

// watermark returns the time before which readings are complete, or says that
// they are; nil when there is none.
func (s *store) watermark(ctx context.Context) (*int64, error) {
	s.telling.RLock()
	defer s.telling.RUnlock()
	if s.faults.StallWatermark {
		return s.stalled, nil
	}
	return s.mark(ctx, s.reader)
}

// mark computes the watermark.
func (s *store) mark(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (*int64, error) {
	var devices, marked int
	var least sql.NullInt64
	if err := db.QueryRowContext(ctx, `SELECT count(*), count(watermark), min(watermark) FROM devices`).Scan(&devices, &marked, &least); err != nil {
		return nil, err
	}
	if devices == 0 || devices < s.devices || marked < devices {
		return nil, nil
	}
	at := before(least.Int64, int64(s.lateBy))
	return &at, nil
}
