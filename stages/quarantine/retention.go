package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// retain removes what retention says, so that what comes fits where it allows. It
// removes a page at most, and tells whether there is more for the next
// transaction. It returns what the quarantine then holds.
func (s *Store) retain(ctx context.Context, tx *sql.Tx, have, incoming held) (_ held, gone removals, more bool, err error) {
	now := time.Now()
	if age := s.config.Retention.MaxAge; age > 0 {
		gone.aged, err = sum(tx.QueryContext(ctx, s.schema.sql(fmt.Sprintf(
			`DELETE FROM {items} WHERE id IN (SELECT id FROM {items} WHERE feed = $1 AND created_at < $2 ORDER BY created_at LIMIT %d) RETURNING bytes`, pageIDs)),
			s.schema.owner(), now.Add(-age).UTC().Format(second)))
		if err != nil {
			return have, gone, false, err
		}
		have = have.less(gone.aged)
		if err := s.auditRemoval(ctx, tx, now, "older than "+age.String(), gone.aged); err != nil {
			return have, gone, false, err
		}
		if gone.aged.messages == pageIDs {
			return have, gone, true, nil
		}
	}
	if excess := s.excess(have, incoming); excess != (held{}) {
		if gone.displaced, err = s.displace(ctx, tx, excess); err != nil {
			return have, gone, false, err
		}
		have = have.less(gone.displaced)
		why := fmt.Sprintf("oldest beyond %v or %d messages", s.config.Retention.MaxBytes, s.config.MaxMessages)
		if err := s.auditRemoval(ctx, tx, now, why, gone.displaced); err != nil {
			return have, gone, false, err
		}
	}
	return have, gone, gone.displaced.messages > 0 && s.excess(have, incoming) != held{}, nil
}

func (h held) less(other held) held { return held{h.messages - other.messages, h.bytes - other.bytes} }

// excess is how much must make room for what comes: messages or bytes, whichever
// are more items. It is written so that nothing overflows.
func (s *Store) excess(have, incoming held) held {
	most := s.config.Retention.MaxBytes
	if most == 0 {
		return held{}
	}
	return held{
		max(0, have.messages-(s.config.MaxMessages-min(s.config.MaxMessages, incoming.messages))),
		max(0, have.bytes-(most-min(most, incoming.bytes))),
	}
}

// displace removes the oldest items until that much is free, a page at most.
func (s *Store) displace(ctx context.Context, tx *sql.Tx, want held) (held, error) {
	last, err := s.oldest(ctx, tx, want)
	if err != nil {
		return held{}, err
	}
	return sum(tx.QueryContext(ctx, s.schema.sql(fmt.Sprintf(`DELETE FROM {items} WHERE feed = $1 AND id <= %d RETURNING bytes`, last)), s.schema.owner()))
}

// oldest returns the id up to which items are that much, or a page.
func (s *Store) oldest(ctx context.Context, tx *sql.Tx, want held) (last int64, _ error) {
	rows, err := tx.QueryContext(ctx, s.schema.sql(fmt.Sprintf(`SELECT id, bytes FROM {items} WHERE feed = $1 ORDER BY id LIMIT %d`, pageIDs)), s.schema.owner())
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }() // what was read is judged by rows.Err
	var seen held
	for (seen.messages < want.messages || seen.bytes < want.bytes) && rows.Next() {
		var bytes int64
		if err := rows.Scan(&last, &bytes); err != nil {
			return 0, err
		}
		seen.add(bytes)
	}
	return last, rows.Err()
}

// auditRemoval adds to the entry of the day, so that the audit stays small
// however often something is removed.
func (s *Store) auditRemoval(ctx context.Context, tx *sql.Tx, now time.Time, why string, gone held) error {
	if gone.messages == 0 {
		return nil
	}
	r := record{action: ActionExpire, selection: why}
	err := tx.QueryRowContext(ctx, s.schema.sql(`SELECT id, started_at FROM {audit} WHERE action = $1 AND selection = $2 AND started_at >= $3 AND feed = $4 ORDER BY id DESC LIMIT 1`),
		string(r.action), why, now.UTC().Format(time.DateOnly), s.schema.owner()).Scan(&r.id, &r.started)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := r.enter(ctx, s.schema, tx, now); err != nil {
		return err
	}
	return r.add(ctx, s.schema, tx, now, gone)
}

// removals is what retention has removed, by reason.
type removals struct{ aged, displaced held }

// logEvery is how often removals are logged: where each new message displaces
// an old one, that must not fill the log.
const logEvery = time.Minute

// Removed returns how many messages retention has removed since the store was
// opened: those that were too old, and those that made room.
func (s *Store) Removed() (aged, displaced int64) {
	return s.aged.Load(), s.displaced.Load()
}

// removed notes removals that are durable, and logs them. The caller has the
// turn.
func (s *Store) removed(gone removals) {
	s.aged.Add(gone.aged.messages)
	s.displaced.Add(gone.displaced.messages)
	s.unlogged.aged = held{s.unlogged.aged.messages + gone.aged.messages, s.unlogged.aged.bytes + gone.aged.bytes}
	s.unlogged.displaced = held{s.unlogged.displaced.messages + gone.displaced.messages, s.unlogged.displaced.bytes + gone.displaced.bytes}
	if now := time.Now(); now.Sub(s.logged) >= logEvery {
		s.logRemovals(now)
	}
}

func (s *Store) logRemovals(now time.Time) {
	for _, r := range []struct {
		held
		why string
	}{
		{s.unlogged.aged, "older than retention.maxAge " + s.config.Retention.MaxAge.String()},
		{s.unlogged.displaced, fmt.Sprintf("the oldest, to keep within retention.maxBytes %v and maxMessages %d", s.config.Retention.MaxBytes, s.config.MaxMessages)},
	} {
		if r.messages > 0 {
			s.logger.Warn("retention removed messages from the quarantine", "messages", r.messages, "bytes", int64(r.bytes), "reason", r.why)
			s.logged = now
		}
	}
	s.unlogged = removals{}
}

// expireInterval is how often age is looked at while nothing else happens.
func expireInterval(maxAge time.Duration) time.Duration {
	return min(max(maxAge/10, time.Minute), time.Hour)
}

// expireRegularly removes what is too old until ctx ends.
func (s *Store) expireRegularly(ctx context.Context) {
	tick := time.NewTicker(expireInterval(s.config.Retention.MaxAge))
	defer tick.Stop()
	s.expireOn(ctx, tick.C)
}

func (s *Store) expireOn(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-tick:
			if err := s.expire(ctx); err != nil && ctx.Err() == nil {
				s.logger.Error("retention could not remove what is too old: it tries again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// expire does what retention says, without a new item.
func (s *Store) expire(ctx context.Context) error {
	return s.write(ctx, "expire messages of", func(ctx context.Context, tx *sql.Tx, have held) (removals, bool, error) {
		_, gone, more, err := s.retain(ctx, tx, have, held{})
		return gone, more, err
	})
}
