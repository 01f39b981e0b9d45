package cloudapi

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// writeLies runs do in a transaction of a writer, which may add to lies. Nobody
// is told the truth about a reading between its commit and the lie.
func (s *store) writeLies(ctx context.Context, lies *[]lie, do func(*sql.Tx) error) error {
	return s.writeAnd(ctx, do, func(tx *sql.Tx) error {
		if len(*lies) > 0 {
			s.telling.Lock()
			defer s.telling.Unlock()
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		for _, l := range *lies {
			s.lies[l.key] = l
		}
		return nil
	})
}

// setFaults replaces the faults and all lies. Readings that are there are chosen
// from, in their order, before those that come.
func (s *store) setFaults(ctx context.Context, f Faults) error {
	f = f.orDefaults()
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	choose := newChooser(f, nil)
	lies := map[key]lie{}
	var stalled *int64
	return s.writeAnd(ctx, func(tx *sql.Tx) error {
		switch {
		case f.StallWatermark && s.faults.StallWatermark:
			stalled = s.stalled
		case f.StallWatermark:
			if stalled, err = s.mark(ctx, tx); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE settings SET faults = ?, stalled = ?`, text, stalled); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM lies`); err != nil {
			return err
		}
		if lies, err = s.lieAboutAll(ctx, tx, &choose); err != nil {
			return err
		}
		for _, l := range lies {
			if err := l.save(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	}, func(tx *sql.Tx) error { // pages are told meanwhile: choosing may take seconds
		s.telling.Lock()
		defer s.telling.Unlock()
		if err := tx.Commit(); err != nil {
			return err
		}
		s.faults, s.stalled, s.lies, s.chooser = f, stalled, lies, choose
		return nil
	})
}

// lieAboutAll chooses from the readings that are there.
func (s *store) lieAboutAll(ctx context.Context, tx *sql.Tx, choose *chooser) (map[key]lie, error) {
	lies := map[key]lie{}
	rows, err := tx.QueryContext(ctx, `SELECT json FROM readings ORDER BY ts, device, tag, seq`)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	var p reading.Parser
	now := s.now().UnixNano()
	for !choose.done() && rows.Next() {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		r, err := p.Parse(text)
		if err != nil {
			return nil, err
		}
		if kind, ok := choose.choose(&r, len(text)); ok {
			l := newLie(kind, &r, choose.faults, now)
			lies[l.key] = l
		}
	}
	return lies, rows.Err()
}

// confess returns the faults, and which readings are lied about.
func (s *store) confess(ctx context.Context) (Faults, []lie, error) {
	s.telling.RLock()
	defer s.telling.RUnlock()
	lies, err := liesIn(ctx, s.reader)
	return s.faults, lies, err
}

// unavailable returns one in how many requests is answered 503; 0: none.
func (s *store) unavailable() int {
	s.telling.RLock()
	defer s.telling.RUnlock()
	return s.faults.Unavailable
}
