package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// retain removes what retention says, so that incoming bytes fit where it
// allows. It returns what the quarantine then holds.
func (s *Store) retain(ctx context.Context, tx *sql.Tx, have held, incoming feed.Size) (held, removals, error) {
	var gone removals
	var err error
	now := time.Now()
	if age := s.config.Retention.MaxAge; age > 0 {
		if gone.aged, err = sum(tx.QueryContext(ctx, s.schema.sql(`DELETE FROM {items} WHERE feed = $1 AND created_at < $2 RETURNING bytes`), s.schema.owner(), now.Add(-age).UTC().Format(second))); err != nil {
			return have, gone, err
		}
		have = have.less(gone.aged)
		if err := s.auditRemoval(ctx, tx, now, "older than "+age.String(), gone.aged); err != nil {
			return have, gone, err
		}
	}
	if most := s.config.Retention.MaxBytes; most > 0 && have.messages > 0 && have.bytes > most-min(most, incoming) {
		if gone.displaced, err = s.displace(ctx, tx, have.bytes-(most-min(most, incoming))); err != nil {
			return have, gone, err
		}
		have = have.less(gone.displaced)
		if err := s.auditRemoval(ctx, tx, now, "oldest beyond "+most.String(), gone.displaced); err != nil {
			return have, gone, err
		}
	}
	return have, gone, nil
}

func (h held) less(other held) held { return held{h.messages - other.messages, h.bytes - other.bytes} }

// displace removes the oldest items until that much is free, or all are gone.
func (s *Store) displace(ctx context.Context, tx *sql.Tx, want feed.Size) (held, error) {
	var gone held
	for gone.bytes < want {
		last, found, err := s.oldest(ctx, tx, want-gone.bytes)
		if err != nil || !found {
			return gone, err
		}
		more, err := sum(tx.QueryContext(ctx, s.schema.sql(fmt.Sprintf(`DELETE FROM {items} WHERE feed = $1 AND id <= %d RETURNING bytes`, last)), s.schema.owner()))
		if err != nil {
			return gone, err
		}
		gone = held{gone.messages + more.messages, gone.bytes + more.bytes}
	}
	return gone, nil
}

// oldest returns the id up to which items have that many bytes, looking at
// some of them.
func (s *Store) oldest(ctx context.Context, tx *sql.Tx, want feed.Size) (last int64, found bool, _ error) {
	rows, err := tx.QueryContext(ctx, s.schema.sql(`SELECT id, bytes FROM {items} WHERE feed = $1 ORDER BY id LIMIT 1000`), s.schema.owner())
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = rows.Close() }() // what was read is judged by rows.Err
	for want > 0 && rows.Next() {
		var bytes int64
		if err := rows.Scan(&last, &bytes); err != nil {
			return 0, false, err
		}
		want -= feed.Size(bytes)
		found = true
	}
	return last, found, rows.Err()
}

// auditRemoval adds to the entry of the day, so that the audit stays small
// however often something is removed.
func (s *Store) auditRemoval(ctx context.Context, tx *sql.Tx, now time.Time, why string, gone held) error {
	if gone.messages == 0 {
		return nil
	}
	r := record{action: ActionExpire, selection: why}
	err := tx.QueryRowContext(ctx, s.schema.sql(`SELECT id FROM {audit} WHERE action = $1 AND selection = $2 AND started_at >= $3 AND feed = $4 ORDER BY id DESC LIMIT 1`),
		string(r.action), why, now.UTC().Format(time.DateOnly), s.schema.owner()).Scan(&r.id)
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
		{s.unlogged.displaced, "the oldest, to keep within retention.maxBytes " + s.config.Retention.MaxBytes.String()},
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
	return s.write(ctx, "expire messages of", func(ctx context.Context, tx *sql.Tx, have held) (removals, error) {
		_, gone, err := s.retain(ctx, tx, have, 0)
		return gone, err
	})
}
