package validate

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Side is one of the two places that are compared. It is for concurrent use.
type Side interface {
	// String names the place for people, without secrets.
	fmt.Stringer
	// Read hands out all readings that a query means, each copy that is stored,
	// in any order and in pages of any size. What it hands out is fresh: nothing
	// is remembered from a read before. It calls take one call at a time, and a
	// page is valid until take returns. An error of take ends it and is returned.
	// An error means that what was handed out is not all.
	Read(ctx context.Context, q Query, take func(Page) error) error
	// Traits says what can be known of this place. It does no I/O.
	Traits() Traits
	// Costs says what has been read so far.
	Costs() Costs
	io.Closer
}

// Expectation is the side that holds the truth, independent of the feed.
type Expectation interface {
	Side
	// Watermark is the time before which all readings are there, now and for
	// ever. It is zero when nothing can be said.
	Watermark(context.Context) (time.Time, error)
}

// Query says which readings are meant.
type Query struct {
	Device string // "": of all devices
	Tag    string // "": of all tags
	// From is the first time, To the first one beyond. Both are set.
	From, To time.Time
}

// Times returns the first and the last time that the query means, in nanoseconds
// since 1970 UTC, within what 64 bits hold: no reading has another one. ok is false
// when there is none.
func (q Query) Times() (first, last int64, ok bool) {
	least, most := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	if !q.From.Before(q.To) || q.From.After(most) || !q.To.After(least) {
		return 0, 0, false
	}
	first, last = math.MinInt64, math.MaxInt64
	if q.From.After(least) {
		first = q.From.UnixNano()
	}
	if !q.To.After(most) {
		last = q.To.UnixNano() - 1
	}
	return first, last, true
}

// Page is a part of what a query means.
type Page struct {
	Records []Record
	// Unreadable are places at which something stands that cannot be read: as
	// long as there are any, nothing can be called missing.
	Unreadable []Unreadable
}

// Record is a stored reading.
type Record struct {
	reading.Reading
	// Arrived is when it was stored, in nanoseconds since 1970 UTC; 0 when that is
	// not known.
	Arrived int64
	Place   Place
}

// Place is where a reading stands.
type Place struct {
	Object   string // such as the name of a blob, the address of a page, a table
	Position int64  // within, from 1 on: a line, a row; 0 when there is none
}

// String returns the object, and the position behind a colon.
func (p Place) String() string {
	if p.Position == 0 {
		return p.Object
	}
	return fmt.Sprintf("%s:%d", p.Object, p.Position)
}

// Unreadable is what stands at a place and cannot be read.
type Unreadable struct {
	Place Place
	Err   error
	// From is the first time that a reading there may have, To the first one
	// beyond. When both are zero, it may be any time of the query.
	From, To time.Time
}

// Traits says what can be known of a side.
type Traits struct {
	// Selective says that a query for a device or a short time costs no more than
	// what it returns; other sides are read in long stretches.
	Selective bool
	// Ordered says that readings of a device are handed out in the order in which
	// they arrived, so that what is out of order shows.
	Ordered bool
	// Arrival says that records tell when they arrived.
	Arrival bool
	// Unique says that the place cannot hold a reading twice.
	Unique bool
	// TimeStep is the finest time that it holds, such as a microsecond; 0 is a
	// nanosecond.
	TimeStep time.Duration
	// Identity says all that decides what a read hands out: the place and the
	// settings, without secrets. What was found with one identity is not gone on
	// with under another.
	Identity string
	// Lost names members of a reading that the place does not keep, of site, line,
	// quality and seq.
	Lost []string
}

// Costs says what was read of a side.
type Costs struct {
	Requests int64 `json:"requests,omitempty"` // to a server
	Retries  int64 `json:"retries,omitempty"`  // of them
	Objects  int64 `json:"objects,omitempty"`  // blobs, files
	Bytes    int64 `json:"bytes,omitempty"`    // as stored, or as sent
	Readings int64 `json:"readings"`
}
