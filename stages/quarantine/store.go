package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Store is a quarantine that is open for writing. It reads as a [Reader] does.
// All methods are safe for concurrent use.
type Store struct {
	*Reader
	config Config
	logger *slog.Logger
	conn   *connection

	stopExpiring context.CancelFunc
	expiring     sync.WaitGroup

	aged, displaced atomic.Int64 // removed by retention since the store was opened

	// turn holds one token: whoever has it may write, or close.
	turn   chan struct{}
	closed bool // by the holder of the turn, as are the following
	// refused is what did not fit last, until something did.
	refused  held
	unlogged removals
	logged   time.Time
}

var (
	_ feed.Quarantine = (*Store)(nil)
	_ feed.Prober     = (*Store)(nil)
)

// Open opens the quarantine for writing, and creates it when it is missing or
// empty. It fails with [ErrInUse], [ErrForeign] or [ErrCorrupt] rather than
// touch what is not its own. The caller closes the store.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p := c.Place()
	e, err := p.engine()
	if err != nil {
		return nil, err
	}
	conn, err := e.open(ctx, modeWrite)
	if err != nil {
		return nil, err
	}
	reader, err := newReader(ctx, e)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &Store{Reader: reader, config: c, logger: c.Logger, conn: conn, turn: make(chan struct{}, 1)}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	expiring, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopExpiring = stop
	if err := s.expire(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if c.Retention.MaxAge > 0 {
		s.expiring.Go(func() { s.expireRegularly(expiring) })
	}
	return s, nil
}

// Put stores items, all or none, and returns nil only when they are durable. It
// waits its turn for as long as ctx allows. An error that wraps [ErrFull] is a
// *[FullError]. Put retains nothing of items.
func (s *Store) Put(ctx context.Context, items []feed.QuarantineItem) error {
	if len(items) == 0 {
		return nil
	}
	msgs := make(message.Messages, len(items))
	var incoming held
	for i := range items {
		msgs[i] = toMessage(s.config.Feed, &items[i])
		incoming.add(rowBytes(msgs[i]))
	}
	return s.write(ctx, "put into quarantine", func(ctx context.Context, tx *sql.Tx, have held) (removals, bool, error) {
		gone, more, err := s.makeRoom(ctx, tx, have, incoming)
		if err != nil || more {
			if errors.Is(err, ErrFull) {
				s.refused = incoming
			}
			return gone, more, err
		}
		if err := s.insert(ctx, tx, msgs); err != nil {
			return gone, false, err
		}
		s.refused = held{}
		return gone, false, nil
	})
}

// change is what one transaction does. It returns what retention has removed,
// and whether it is to be called again, in another transaction.
type change func(ctx context.Context, tx *sql.Tx, have held) (gone removals, more bool, err error)

// write runs a change in its turn, in as many transactions as it wants, and
// notes what retention has removed when that is durable.
func (s *Store) write(ctx context.Context, doing string, c change) error {
	if err := s.take(ctx); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer s.give()
	for {
		if more, err := s.transact(ctx, doing, c); err != nil || !more {
			return err
		}
	}
}

// transact runs a change in one transaction. The caller has the turn.
func (s *Store) transact(ctx context.Context, doing string, c change) (more bool, _ error) {
	ctx, cancel := bounded(ctx, s.engine)
	defer cancel()
	tx, have, err := begin(ctx, s.schema, s.conn)
	if err != nil {
		return false, s.engine.wrap(doing, err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	gone, more, err := c(ctx, tx, have)
	switch {
	case errors.Is(err, ErrFull):
		return false, err
	case err != nil:
		return false, s.engine.wrap(doing, err)
	}
	if err := tx.Commit(); err != nil {
		return false, s.engine.wrap(doing, err)
	}
	s.removed(gone)
	return more, nil
}

// insert publishes msgs in the transaction.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, msgs message.Messages) error {
	publisher, err := wsql.NewPublisher(within{tx, ctx}, wsql.PublisherConfig{SchemaAdapter: s.schema}, nil)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(msgs, insertRows) {
		if err := publisher.Publish(s.schema.table, chunk...); err != nil {
			return err
		}
	}
	return nil
}

// within runs statements under a context of its own: watermill-sql's publisher
// has none, and would wait for a database that does not answer.
type within struct {
	*sql.Tx
	ctx context.Context
}

// ExecContext leaves the publisher's context out.
func (w within) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return w.Tx.ExecContext(w.ctx, query, args...)
}

// makeRoom removes what retention allows, unless there is more of that for the
// next transaction, and returns a *FullError unless what comes then fits. For
// what can never fit it removes nothing.
func (s *Store) makeRoom(ctx context.Context, tx *sql.Tx, have, incoming held) (gone removals, more bool, err error) {
	fits := func(have held) bool { // written so that nothing overflows
		return incoming.messages <= s.config.MaxMessages-have.messages && incoming.bytes <= s.config.MaxBytes-have.bytes
	}
	if fits(held{}) {
		if have, gone, more, err = s.retain(ctx, tx, have, incoming); err != nil || more || fits(have) {
			return gone, more, err
		}
	}
	return gone, false, &FullError{
		Place:    s.engine.where(),
		Messages: have.messages, MaxMessages: s.config.MaxMessages,
		Bytes: have.bytes, MaxBytes: s.config.MaxBytes,
		NewMessages: incoming.messages, NewBytes: incoming.bytes,
	}
}

// Probe returns nil when the store can be written and has room, or makes room
// as Put does, for what it refused last, or for one message. It writes to the
// disk to find out.
func (s *Store) Probe(ctx context.Context) error {
	return s.write(ctx, "probe quarantine", func(ctx context.Context, tx *sql.Tx, have held) (removals, bool, error) {
		wanted := held{max(1, s.refused.messages), max(rowOverhead, s.refused.bytes)}
		gone, more, err := s.makeRoom(ctx, tx, have, wanted)
		if err == nil && !more {
			// Something new: SQLite leaves out a write that changes nothing.
			_, err = tx.ExecContext(ctx, s.schema.sql(`UPDATE {totals} SET probes = probes + 1 WHERE feed = $1`), s.schema.owner())
		}
		return gone, more, err
	})
}

// Close waits for a Put that is under way and closes the database. Idempotent.
func (s *Store) Close() error {
	s.stopExpiring()
	s.expiring.Wait()
	s.turn <- struct{}{}
	defer s.give()
	if s.closed {
		return nil
	}
	s.closed = true
	s.logRemovals(time.Now())
	return errors.Join(s.Reader.Close(), s.conn.Close())
}

// take waits for the turn to write.
func (s *Store) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.closed {
		s.give()
		return ErrClosed
	}
	return nil
}

func (s *Store) give() { <-s.turn }
