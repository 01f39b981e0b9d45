package quarantine

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/kraft-edge/datafeed/feed"
)

// What can be wrong with a store. Errors wrap these; find them with errors.Is.
var (
	// ErrFull: items do not fit. See [FullError] for the numbers.
	ErrFull = errors.New("quarantine is full")
	// ErrInUse: another process has the store open for writing.
	ErrInUse = errors.New("quarantine is in use")
	// ErrForeign: the file is a database, but none of this package, or of a
	// newer version of it.
	ErrForeign = errors.New("file is no quarantine")
	// ErrCorrupt: the file is damaged, or no database at all.
	ErrCorrupt = errors.New("quarantine is damaged")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("quarantine is closed")
	// ErrNotFound: there is no item of that id.
	ErrNotFound = errors.New("no such item")
)

// FullError says what did not fit.
type FullError struct {
	Path                  string
	Messages, MaxMessages int64     // held, and the bound
	Bytes, MaxBytes       feed.Size // held, and the bound
	NewMessages           int64     // refused
	NewBytes              feed.Size // refused
}

// Error reports the numbers and the remedy.
func (e *FullError) Error() string {
	return fmt.Sprintf("quarantine %s is full: it holds %d of at most %d messages and %d of at most %d bytes, and has no room for %d message(s) of %d bytes: "+
		"find out why messages are refused (feed quarantine ls), then raise maxMessages or maxBytes, or stop the feed and move the file away",
		e.Path, e.Messages, e.MaxMessages, int64(e.Bytes), int64(e.MaxBytes), e.NewMessages, int64(e.NewBytes))
}

// Unwrap makes errors.Is find [ErrFull].
func (*FullError) Unwrap() error { return ErrFull }

// wrap says what was being done with the file at path, and marks damage.
func wrap(doing, path string, err error) error {
	var se *sqlite.Error
	if errors.As(err, &se) {
		switch se.Code() & 0xff { // the rest is detail
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return corrupt(path, err.Error())
		}
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}

func corrupt(path, detail string) error {
	return fmt.Errorf("%w: %s: %s: move the file away with its -wal and -shm files, keep them to recover the messages (sqlite3 FILE .recover), and start again", ErrCorrupt, path, detail)
}
