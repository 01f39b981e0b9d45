package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Store is a quarantine that is open for writing. It reads as a [Reader] does.
// All methods are safe for concurrent use.
type Store struct {
	*Reader
	config Config
	lock   io.Closer
	db     *sql.DB // one connection

	// turn holds one token: whoever has it may write, or close.
	turn   chan struct{}
	closed bool // by the holder of the turn
	// refused is what did not fit last, until something did.
	refused struct {
		messages int64
		bytes    feed.Size
	}
}

var (
	_ feed.Quarantine = (*Store)(nil)
	_ feed.Prober     = (*Store)(nil)
)

// Open opens the quarantine at c.Path for writing, and creates it when the file
// is missing or empty. It fails with [ErrInUse], [ErrForeign] or [ErrCorrupt]
// rather than touch what is not its own. The caller closes the store.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	s := &Store{config: c, turn: make(chan struct{}, 1)}
	s.config.Path = path
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if s.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	if s.db, err = sql.Open("sqlite", dsn(path, "rw")); err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	s.db.SetMaxOpenConns(1)
	what, err := identify(ctx, s.db, path)
	if err != nil {
		return nil, err
	}
	if what == stateEmpty {
		err = wrapNonNil("create tables in", path, initialize(ctx, s.db))
	} else {
		err = quickCheck(ctx, s.db, path)
	}
	if err != nil {
		return nil, err
	}
	if err := useWAL(ctx, s.db, path); err != nil {
		return nil, err
	}
	if s.Reader, err = newReader(path); err != nil {
		return nil, err
	}
	return s, nil
}

func wrapNonNil(doing, path string, err error) error {
	if err == nil {
		return nil
	}
	return wrap(doing, path, err)
}

// Put stores items, all or none, and returns nil only when they are durable. It
// waits its turn for as long as ctx allows. An error that wraps [ErrFull] is a
// *[FullError]. Put retains nothing of items.
func (s *Store) Put(ctx context.Context, items []feed.QuarantineItem) error {
	if len(items) == 0 {
		return nil
	}
	msgs := make(message.Messages, len(items))
	var bytes int64
	for i := range items {
		msgs[i] = toMessage(&items[i])
		bytes += rowBytes(msgs[i])
	}
	if err := s.take(ctx); err != nil {
		return fmt.Errorf("put into quarantine: %w", err)
	}
	defer s.give()
	err := s.insert(ctx, msgs, feed.Size(bytes))
	if errors.Is(err, ErrFull) {
		s.refused.messages, s.refused.bytes = int64(len(items)), feed.Size(bytes)
		return err
	}
	if err != nil {
		return wrap("put into quarantine", s.path, err)
	}
	s.refused.messages, s.refused.bytes = 0, 0
	return nil
}

// insert checks the bounds and publishes msgs in one transaction.
func (s *Store) insert(ctx context.Context, msgs message.Messages, bytes feed.Size) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	if err := s.room(ctx, tx, int64(len(msgs)), bytes); err != nil {
		return err
	}
	publisher, err := wsql.NewPublisher(tx, wsql.PublisherConfig{SchemaAdapter: schema{}}, nil)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(msgs, insertRows) {
		if err := publisher.Publish(table, chunk...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// room returns a *FullError unless that much fits.
func (s *Store) room(ctx context.Context, db rowQuerier, messages int64, bytes feed.Size) error {
	haveMessages, haveBytes, err := totals(ctx, db)
	if err != nil {
		return err
	}
	// Written so that nothing overflows.
	if messages <= s.config.MaxMessages-haveMessages && bytes <= s.config.MaxBytes-haveBytes {
		return nil
	}
	return &FullError{
		Path:     s.path,
		Messages: haveMessages, MaxMessages: s.config.MaxMessages,
		Bytes: haveBytes, MaxBytes: s.config.MaxBytes,
		NewMessages: messages, NewBytes: bytes,
	}
}

// countProbe writes something new: SQLite leaves out a write that changes
// nothing.
const countProbe = `UPDATE "` + table + `_totals" SET probes = probes + 1`

// Probe returns nil when the store can be written and has room for what it
// refused last, or for one message. It writes to the disk to find out.
func (s *Store) Probe(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return fmt.Errorf("probe quarantine: %w", err)
	}
	defer s.give()
	if err := s.room(ctx, s.db, max(1, s.refused.messages), max(rowOverhead, s.refused.bytes)); err != nil {
		if errors.Is(err, ErrFull) {
			return err
		}
		return wrap("probe quarantine", s.path, err)
	}
	if _, err := s.db.ExecContext(ctx, countProbe); err != nil {
		return wrap("probe quarantine", s.path, err)
	}
	return nil
}

// Close waits for a Put that is under way and closes the files. Idempotent.
func (s *Store) Close() error {
	s.turn <- struct{}{}
	defer s.give()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.release()
}

// release closes what was opened. The lock goes last.
func (s *Store) release() error {
	var errs []error
	if s.Reader != nil {
		errs = append(errs, s.Reader.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
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
