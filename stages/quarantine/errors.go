package quarantine

import (
	"errors"
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
)

// What can be wrong with a store. Errors wrap these; find them with errors.Is.
var (
	// ErrFull: items do not fit. See [FullError] for the numbers.
	ErrFull = errors.New("quarantine is full")
	// ErrInUse: another process has the file open for writing, or edits it.
	ErrInUse = errors.New("quarantine is in use")
	// ErrForeign: the database is none of this package, or of another version
	// of it.
	ErrForeign = errors.New("not a quarantine")
	// ErrCorrupt: the file is damaged, or no database at all.
	ErrCorrupt = errors.New("quarantine is damaged")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("quarantine is closed")
	// ErrNotFound: there is no item of that id.
	ErrNotFound = errors.New("no such item")
	// ErrUnknownFeed: a feed of that name has never used the quarantine.
	ErrUnknownFeed = errors.New("no such feed")
)

// FullError says what did not fit.
type FullError struct {
	Place                 string
	Messages, MaxMessages int64     // held, and the bound
	Bytes, MaxBytes       feed.Size // held, and the bound
	NewMessages           int64     // refused
	NewBytes              feed.Size // refused
}

// Error reports the numbers and the remedy.
func (e *FullError) Error() string {
	return fmt.Sprintf("quarantine %s is full: it holds %d of at most %d messages and %v of at most %v, and has no room for %d more of %v: "+
		"find out why messages are refused (feed quarantine ls), replay them (feed quarantine replay) and remove what is done (feed quarantine purge), or raise maxMessages or maxBytes",
		e.Place, e.Messages, e.MaxMessages, e.Bytes, e.MaxBytes, e.NewMessages, e.NewBytes)
}

// Unwrap makes errors.Is find [ErrFull].
func (*FullError) Unwrap() error { return ErrFull }

func otherVersion(where string, version int64) error {
	if version == upgradable {
		return fmt.Errorf("%w of this version: %s has version %d, and this program knows version %d: start its feed with this program, which carries the messages over", ErrForeign, where, version, schemaVersion)
	}
	return fmt.Errorf("%w of this version: %s has version %d, and this program knows version %d: use the program that wrote it, or move it away, or give another path or table", ErrForeign, where, version, schemaVersion)
}
