package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Editor marks and removes items, also while a feed writes the quarantine. One
// process at a time has it. It reads as a [Reader] does. Safe for concurrent
// use.
type Editor struct {
	*Reader
	conn   *connection
	waits  []time.Duration // before each further try to mark
	within time.Duration   // bounds all tries to mark a page together

	changing sync.Mutex // one transaction at a time: it has the connection of the lock
}

// markWaits are some eight seconds in all: a database that is restarted is back
// by then.
var markWaits = []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// markWithin is for who waits for a command to end, since marks are tried also
// after it was told to: a server that accepts connections and does not answer
// would take the time of each try to its end.
const markWithin = 15 * time.Second

// OpenEditor opens the quarantine at a place to change what it holds of the feed,
// which must have used it ([ErrUnknownFeed]). It fails with [ErrInUse] while
// another process does. A file that does not exist is an
// error that wraps fs.ErrNotExist. The caller closes the editor.
//
// In PostgreSQL the lock goes with its connection. An editor that has lost it
// changes nothing before it has it again, and fails with ErrInUse when another
// process was faster.
func OpenEditor(ctx context.Context, p Place) (*Editor, error) {
	if err := errors.Join(p.feedProblem()...); err != nil {
		return nil, err
	}
	e, err := p.engine()
	if err != nil {
		return nil, err
	}
	conn, err := e.open(ctx, modeEdit)
	if err != nil {
		return nil, err
	}
	reader, err := newReader(ctx, e)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	editor := &Editor{Reader: reader, conn: conn, waits: markWaits, within: markWithin}
	if err := editor.knowsFeed(ctx, p.Feed); err != nil {
		return nil, errors.Join(err, editor.Close())
	}
	return editor, nil
}

// knowsFeed refuses a feed that the quarantine does not know: a mistyped name,
// most likely.
func (e *Editor) knowsFeed(ctx context.Context, name string) error {
	feeds, err := e.Feeds(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, f := range feeds {
		if f.Feed == name {
			return nil
		}
		known = append(known, strconv.Quote(f.Feed))
	}
	return fmt.Errorf("%w: %s has nothing of %q: it knows %s", ErrUnknownFeed, e.engine.where(), name, strings.Join(known, ", "))
}

// Close waits for a change that is under way and ends reading and writing.
// Idempotent.
func (e *Editor) Close() error {
	e.changing.Lock()
	defer e.changing.Unlock()
	return errors.Join(e.Reader.Close(), e.conn.Close())
}

// Run is one replay, export or purge: one entry of the audit, made when the
// first item is done. Its methods are called by one goroutine at a time.
type Run struct {
	editor *Editor
	record record
}

// Replay begins a run that marks items as replayed to a target. The selection
// says which, for the audit.
func (e *Editor) Replay(target, selection string) *Run {
	return &Run{e, record{action: ActionReplay, target: target, selection: selection}}
}

// Export begins a run that marks items as exported to a target.
func (e *Editor) Export(target, selection string) *Run {
	return &Run{e, record{action: ActionExport, target: target, selection: selection}}
}

// marked are the columns that a run sets to its entry.
var marked = map[Action]string{ActionReplay: "replayed", ActionExport: "exported"}

// pageIDs is how many items one transaction marks or removes: a feed that wants
// to write waits no longer.
const pageIDs = 2000

// Mark notes that the items of these ids are done: durable where they went. Ids
// that are gone meanwhile, or are another feed's, are left out; those that the
// run has marked before count once. It marks a page of 2,000 in a transaction,
// tries that again when it fails, for some 15 seconds, and returns how many of
// the ids, from the first, it has dealt with, also when it gives up.
func (r *Run) Mark(ctx context.Context, ids []int64) (done int, err error) {
	for page := range slices.Chunk(ids, pageIDs) {
		if err := r.markPatiently(ctx, page); err != nil {
			return done, err
		}
		done += len(page)
	}
	return done, nil
}

// markPatiently tries again: what was sent and is not marked would be sent twice.
func (r *Run) markPatiently(ctx context.Context, ids []int64) error {
	ctx, cancel := context.WithTimeout(ctx, r.editor.within)
	defer cancel()
	err := r.markPage(ctx, ids)
	for _, wait := range r.editor.waits {
		if err == nil || ctx.Err() != nil {
			break
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
			err = r.markPage(ctx, ids)
		case <-ctx.Done():
			again.Stop()
		}
	}
	return err
}

// markPage marks all of these ids or none.
func (r *Run) markPage(ctx context.Context, ids []int64) error {
	column, entry, schema := marked[r.record.action], &r.record, r.editor.schema
	return r.editor.change(ctx, "mark items of", func(ctx context.Context, tx *sql.Tx, now time.Time) error {
		if err := entry.enter(ctx, schema, tx, now); err != nil {
			return err
		}
		done, err := sum(tx.QueryContext(ctx, schema.sql(fmt.Sprintf(
			`UPDATE {items} SET %[1]s = %[2]d WHERE feed = $1 AND id IN %[3]s AND %[1]s <> %[2]d RETURNING bytes`, column, entry.id, idList(ids))), schema.owner()))
		if err != nil {
			return err
		}
		return entry.add(ctx, schema, tx, now, done)
	})
}

// Purge removes the items that q chooses, whatever its limit, for good, and
// returns how many. Some are gone already when it fails. progress, unless nil,
// is told how many are gone so far.
func (e *Editor) Purge(ctx context.Context, q Query, selection string, progress func(messages int64)) (messages int64, bytes feed.Size, err error) {
	entry := record{action: ActionPurge, selection: selection}
	where, args := q.where(e.schema)
	var gone held
	for {
		var page held
		err := e.change(ctx, "purge", func(ctx context.Context, tx *sql.Tx, now time.Time) (err error) {
			page, err = sum(tx.QueryContext(ctx, e.schema.sql(
				fmt.Sprintf(`DELETE FROM {items} WHERE id IN (SELECT i.id FROM {items} i WHERE %s ORDER BY i.id LIMIT %d) RETURNING bytes`, where, pageIDs)), args...))
			if err != nil || page.messages == 0 {
				return err
			}
			if err := entry.enter(ctx, e.schema, tx, now); err != nil {
				return err
			}
			return entry.add(ctx, e.schema, tx, now, page)
		})
		if err != nil || page.messages == 0 {
			return gone.messages, gone.bytes, err
		}
		gone = held{gone.messages + page.messages, gone.bytes + page.bytes}
		if progress != nil {
			progress(gone.messages)
		}
	}
}

// change runs f in a transaction that excludes all other writers.
func (e *Editor) change(ctx context.Context, doing string, f func(context.Context, *sql.Tx, time.Time) error) error {
	e.changing.Lock()
	defer e.changing.Unlock()
	ctx, cancel := bounded(ctx, e.engine)
	defer cancel()
	tx, _, err := begin(ctx, e.schema, e.conn)
	if err != nil {
		return e.engine.wrap(doing, err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	if err := f(ctx, tx, time.Now()); err != nil {
		return e.engine.wrap(doing, err)
	}
	if err := tx.Commit(); err != nil {
		return e.engine.wrap(doing, err)
	}
	return nil
}
