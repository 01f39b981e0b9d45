package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// clocks knows what the feed's clock and the server's say. Either may be wrong, as
// that of a computer is that has just started at the edge: a reading is refused, and
// a partition dropped, when both have it so.
type clocks struct {
	// ask returns the server's time.
	ask func(context.Context, *session) (time.Time, error)

	feed, server time.Time // when they were compared
	apart        bool      // they were
}

// maxApart is how far the clocks may differ without a word about it.
const maxApart = time.Minute

// serverTime asks the server for its time.
func serverTime(ctx context.Context, s *session) (t time.Time, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = s.conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&t)
	return t, because(ctx, err)
}

// compareClocks asks the server for its time, and logs once that it is another.
func (w *writer) compareClocks(ctx context.Context, now time.Time) error {
	server, err := w.clocks.ask(ctx, w.session)
	if err != nil {
		return fmt.Errorf("ask the server for its time: %w", err)
	}
	c := &w.clocks
	c.feed, c.server = now, server
	apart := server.Sub(now).Abs() > maxApart
	if apart && !c.apart {
		w.logger.Warn("the clocks of the feed and of the server differ: set the wrong one; until then readings are refused, and partitions dropped, only where both have it so", "feed", now.UTC(), "server", server.UTC())
	}
	c.apart = apart
	return nil
}

// serverNow returns the server's time when the feed's is now. The time that has
// passed since they were compared is measured, and does not leap when the feed's
// clock is set.
func (c *clocks) serverNow(now time.Time) time.Time { return c.server.Add(now.Sub(c.feed)) }

// earlier returns the time of the clock that is behind.
func (c *clocks) earlier(now time.Time) time.Time {
	if server := c.serverNow(now); server.Before(now) {
		return server
	}
	return now
}

// timely leaves out the points whose time is out of bounds.
func (w *writer) timely(points []point, now time.Time) []point {
	server := w.clocks.serverNow(now)
	return slices.DeleteFunc(points, func(p point) bool {
		if w.config.checkTime(p.reading.At(), now) == nil {
			return false
		}
		err := w.config.checkTime(p.reading.At(), server)
		if err != nil {
			w.fail(&p, err)
		}
		return err != nil
	})
}

// checkTime returns what is wrong with the time of a reading, by a clock.
func (c *Config) checkTime(at, now time.Time) error {
	switch oldest := c.oldest(); {
	case at.Before(now.Add(-oldest)) && oldest == c.Retention:
		return fmt.Errorf("the reading is of %s, beyond the retention of %v", at.Format(time.RFC3339), c.Retention)
	case at.Before(now.Add(-oldest)):
		return fmt.Errorf("the reading is of %s, more than maxAge (%v) ago", at.Format(time.RFC3339), c.MaxAge)
	case at.After(now.Add(c.MaxAhead)):
		return fmt.Errorf("the reading is of %s, more than maxAhead (%v) in the future: the clock of the device is wrong", at.Format(time.RFC3339), c.MaxAhead)
	}
	return nil
}
