package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// span is what a partition covers, in microseconds since 1970, without its end.
type span struct{ from, to int64 }

func (s span) has(micros int64) bool { return s.from <= micros && micros < s.to }

// partitions knows which times have a partition.
type partitions struct {
	spans []span
	last  int // the span that was of use last
}

// have reports whether there is a partition for a time.
func (p *partitions) have(micros int64) bool {
	if p.last < len(p.spans) && p.spans[p.last].has(micros) {
		return true
	}
	for i, s := range p.spans {
		if s.has(micros) {
			p.last = i
			return true
		}
	}
	return false
}

// load learns what partitions there are.
func (p *partitions) load(ctx context.Context, s *session) error {
	*p = partitions{spans: p.spans[:0]}
	if s.server.hypertable {
		p.spans = append(p.spans, span{math.MinInt64, math.MaxInt64}) // TimescaleDB makes chunks by itself
		return nil
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	rows, err := s.conn.Query(ctx, `SELECT lower, upper FROM partitions`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var lower, upper pgtype.Timestamptz
		if err := rows.Scan(&lower, &upper); err != nil {
			return err
		}
		p.spans = append(p.spans, span{micros(lower), micros(upper)})
	}
	return rows.Err()
}

func micros(t pgtype.Timestamptz) int64 {
	switch t.InfinityModifier {
	case pgtype.Infinity:
		return math.MaxInt64
	case pgtype.NegativeInfinity:
		return math.MinInt64
	case pgtype.Finite:
	}
	return t.Time.UnixMicro()
}

// ensure makes the partition of a time that has none.
func (p *partitions) ensure(ctx context.Context, s *session, at int64, width time.Duration) error {
	one, cancel := s.within(ctx)
	defer cancel()
	if _, err := s.conn.Exec(one, `SELECT ensure_partition($1, $2)`, time.UnixMicro(at).UTC(), width); err != nil {
		return fmt.Errorf("make the partition for %s: %w", time.UnixMicro(at).UTC().Format(time.RFC3339), err)
	}
	if err := p.load(ctx, s); err != nil {
		return err
	}
	if !p.have(at) {
		return fmt.Errorf("there is no partition for %s after it was made", time.UnixMicro(at).UTC().Format(time.RFC3339))
	}
	return nil
}

// upkeepInterval is how often partitions are made ahead and old ones dropped.
const upkeepInterval = 15 * time.Minute

// upkeep makes the partitions of now and of the time after, so that the turn of a
// day is no different from any other moment, and drops those that the retention
// does not keep. What fails here does not keep readings from being stored: it is
// logged, and tried again at the next time.
func (w *writer) upkeep(ctx context.Context, now time.Time) error {
	if now.Before(w.nextUpkeep) {
		return nil
	}
	if err := w.compareClocks(ctx, now); err != nil {
		return err
	}
	w.nextUpkeep = now.Add(upkeepInterval)
	if err := w.keep(ctx, now); err != nil {
		if ctx.Err() != nil || w.session.broken() {
			return err
		}
		w.logger.Warn("partitions are not kept in order; readings are stored as long as they have one", "error", explained(err))
	}
	return nil
}

func (w *writer) keep(ctx context.Context, now time.Time) error {
	if err := w.noteRetention(ctx); err != nil {
		return err
	}
	if w.session.server.hypertable {
		return nil // TimescaleDB does the rest by itself
	}
	server := w.clocks.serverNow(now)
	for _, at := range []time.Time{server, server.Add(w.config.Partition)} {
		if !w.partitions.have(at.UnixMicro()) {
			if err := w.partitions.ensure(ctx, w.session, at.UnixMicro(), w.config.Partition); err != nil {
				return err
			}
		}
	}
	dropped := 0
	for {
		name, err := w.dropPartition(ctx, w.clocks.earlier(now))
		if name == nil || err != nil {
			if dropped > 0 {
				err = errors.Join(err, w.partitions.load(ctx, w.session))
			}
			return err
		}
		dropped++
		w.logger.Info("dropped a partition: all of its readings are older than the retention", "partition", *name, "retention", w.longest)
	}
}

// dropPartition drops the oldest partition that is too old at a time, and returns
// its name, or nil.
func (w *writer) dropPartition(ctx context.Context, at time.Time) (name *string, err error) {
	ctx, cancel := w.session.within(ctx)
	defer cancel()
	if err := w.session.conn.QueryRow(ctx, `SELECT drop_partition($1)`, at).Scan(&name); err != nil {
		return nil, fmt.Errorf("drop a partition: %w", err)
	}
	return name, nil
}
