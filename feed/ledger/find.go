package ledger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Query says which records are meant: those that fit all that is set.
type Query struct {
	// IDs are of messages or deliveries, Made of messages alone: one of them fits.
	IDs, Made []string
	Device    string
	Tag       string
	Seq       *uint64   // of a reading
	Time      time.Time // of a reading
	Since     time.Time // when the message ended, at the earliest
	// Limit is how many records are returned, the newest; 0: all.
	Limit int
}

// Found is what a search has found.
type Found struct {
	Entries []Entry // by when they were received
	Matched int64   // those beyond the limit too
	Records int64   // looked at
	// Unreadable is bytes that are no whole block: of one that a process was writing
	// when it was killed, or is writing now, or damage.
	Unreadable int64
}

// Find searches the ledger of a directory, whether it is being written or not. It
// reads all of it that is not older than Since, and tells how far it is, from
// several goroutines, if progress is not nil.
func Find(ctx context.Context, dir string, q Query, progress func(Progress)) (*Found, error) {
	found := &Found{}
	m := newMatcher(&q)
	s := &scan{dir: dir, since: q.Since, pick: m.fits, progress: progress, take: func(e Entry) {
		found.Matched++
		found.Entries = append(found.Entries, e)
		if q.Limit > 0 && len(found.Entries) >= 2*q.Limit+1000 {
			found.newest(q.Limit)
		}
	}}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	if q.Limit > 0 {
		found.newest(q.Limit)
	}
	found.sort()
	found.Records, found.Unreadable = s.records.Load(), s.unreadable.Load()
	return found, nil
}

// newest keeps the newest entries.
func (f *Found) newest(n int) {
	f.sort()
	f.Entries = slices.Delete(f.Entries, 0, max(0, len(f.Entries)-n))
}

func (f *Found) sort() { Sort(f.Entries) }

// Sort sorts entries by when they were received, and then by when they ended.
func Sort(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.Received.Compare(b.Received), a.Done.Compare(b.Done), cmp.Compare(a.ID, b.ID))
	})
}

// Lookup returns the last record that each route has of the given readings: what a feed
// believes has become of each. Two readings are the same when known says the same of
// them; what it returns is the key of the result. nil compares all of an identity.
func Lookup(ctx context.Context, dir string, readings []Identity, known func(Identity) Identity) (map[Identity][]Entry, error) {
	if known == nil {
		known = func(id Identity) Identity { return id }
	}
	wanted := make(map[Identity]bool, len(readings))
	devices := map[string]bool{}
	for _, r := range readings {
		wanted[known(r)], devices[r.Device] = true, true
	}
	found := make(map[Identity][]Entry)
	s := &scan{
		dir: dir,
		pick: func(r *rows) bool {
			return r.flags&flagReading != 0 && devices[string(r.device)] && wanted[known(*r.identity())]
		},
		take: func(e Entry) {
			id := known(*e.Reading)
			of := found[id]
			i := slices.IndexFunc(of, func(o Entry) bool { return o.Feed == e.Feed && o.Route == e.Route })
			switch {
			case i < 0:
				found[id] = append(of, e)
			case e.Done.After(of[i].Done):
				of[i] = e
			}
		},
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	for _, entries := range found {
		Sort(entries)
	}
	return found, nil
}

// matcher is a query, prepared.
type matcher struct {
	byID      bool
	ids, made map[string]bool
	only      string // the one id that is wanted, if it is one
	device    string
	tag       string
	seq       *uint64
	time      int64
	timed     bool
	since     int64
}

func newMatcher(q *Query) *matcher {
	m := &matcher{
		byID: len(q.IDs)+len(q.Made) > 0, ids: map[string]bool{}, made: map[string]bool{},
		device: q.Device, tag: q.Tag, seq: q.Seq, timed: !q.Time.IsZero(), since: nanosOf(q.Since),
	}
	for _, id := range q.IDs {
		m.ids[cut(id)] = true
	}
	for _, id := range q.Made {
		m.made[cut(id)] = true
	}
	if len(q.IDs) == 1 && len(q.Made) == 0 {
		m.only = cut(q.IDs[0])
	}
	if m.timed {
		m.time = q.Time.UnixNano()
	}
	return m
}

// fits is called from several goroutines.
func (m *matcher) fits(r *rows) bool {
	isReading := r.flags&flagReading != 0
	switch {
	case r.done < m.since,
		m.byID && !m.fitsID(r),
		m.device != "" && (!isReading || string(r.device) != m.device),
		m.tag != "" && (!isReading || string(r.name) != m.tag),
		m.seq != nil && (!isReading || r.seq != *m.seq),
		m.timed && (!isReading || !m.fitsTime(r)):
		return false
	}
	return true
}

func (m *matcher) fitsTime(r *rows) bool {
	nanos, ok := reading.ParseTime(string(r.time))
	return ok && nanos == m.time
}

func (m *matcher) fitsID(r *rows) bool {
	if m.only != "" {
		return string(r.id) == m.only || string(r.delivery) == m.only
	}
	return m.ids[string(r.id)] || m.ids[string(r.delivery)] || m.made[string(r.id)]
}
