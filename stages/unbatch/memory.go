package unbatch

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// name tells batches apart.
type name struct {
	device   string
	sequence uint64
}

type checksum = [sha256.Size]byte

// mark says which batch was delivered under a name.
type mark struct {
	name
	checksum checksum
}

// store keeps marks beyond the life of the process.
type store interface {
	// lookup returns what was delivered under a name, if that is known.
	lookup(name) (checksum, bool, error)
	// write stores marks, all or none.
	write([]mark) error
	close() error
}

// passing is a store for a test of the configuration, and ends with it.
type passing map[name]checksum

func (p passing) lookup(n name) (checksum, bool, error) {
	sum, known := p[n]
	return sum, known, nil
}

func (p passing) write(marks []mark) error {
	for _, m := range marks {
		p[m.name] = m.checksum
	}
	return nil
}

func (passing) close() error { return nil }

// memory knows which batches are in flight, and which were delivered.
type memory struct {
	store     store
	now       func() time.Time
	inFlight  map[name]flight
	sweepAt   int    // how many are in flight when the next sweep is due
	unwritten []mark // of what was delivered, and is not in the store yet
}

// flight is a batch that was started and, as far as is known, has not ended.
type flight struct {
	checksum checksum
	since    time.Time
}

const (
	// longestFlight is after how long a batch is no longer taken for in flight: it
	// was given back to its source, which nobody tells, and may have been delivered
	// by another, or never. Routes hold deliveries for ten minutes at most, unless
	// they are told otherwise.
	longestFlight = 15 * time.Minute
	// leastSweep is how many batches are in flight at least before those that were
	// given back are looked for.
	leastSweep = 1024
)

func newMemory(s store) *memory {
	return &memory{store: s, now: time.Now, inFlight: make(map[name]flight), sweepAt: leastSweep}
}

func (m *memory) over(f flight) bool { return m.now().Sub(f.since) >= longestFlight }

// check says whether a batch was delivered before. It returns a permanent error
// when another batch has the name of this one, and a transient one while the store
// fails.
func (m *memory) check(e *batch.Envelope) (repeated bool, err error) {
	// Marks that do not get into the store hold back what comes: otherwise they
	// would gather here without bound, or be lost.
	if err := m.write(); err != nil {
		return false, err
	}
	n := name{e.Device, e.Sequence}
	if f, ok := m.inFlight[n]; ok && f.checksum != e.Checksum && !m.over(f) {
		return false, conflict(e, f.checksum, "in flight")
	}
	sum, repeated, err := m.store.lookup(n)
	if err != nil {
		return false, err
	}
	if repeated && sum != e.Checksum {
		return false, conflict(e, sum, "delivered")
	}
	return repeated, nil
}

func conflict(e *batch.Envelope, first checksum, state string) error {
	return feed.Permanent(fmt.Errorf("conflict: a batch with this number and another content is %s: the SHA-256 of that begins with %x, of this with %x", state, first[:8], e.Checksum[:8]))
}

// started notes that messages were made of a batch.
func (m *memory) started(e *batch.Envelope) {
	if len(m.inFlight) >= m.sweepAt {
		m.sweep()
	}
	m.inFlight[name{e.Device, e.Sequence}] = flight{e.Checksum, m.now()}
}

// sweep forgets what was given back. The next one is due when as many have been
// added as are left, so that each costs little.
func (m *memory) sweep() {
	maps.DeleteFunc(m.inFlight, func(_ name, f flight) bool { return m.over(f) })
	m.sweepAt = max(leastSweep, 2*len(m.inFlight))
}

// ended notes that all messages of a batch have ended. One that was delivered is
// to be written.
func (m *memory) ended(e *batch.Envelope, delivered bool) {
	n := name{e.Device, e.Sequence}
	delete(m.inFlight, n)
	if delivered {
		m.unwritten = append(m.unwritten, mark{n, e.Checksum})
	}
}

// write moves what is unwritten into the store.
func (m *memory) write() error {
	if len(m.unwritten) == 0 {
		return nil
	}
	if err := m.store.write(m.unwritten); err != nil {
		return err
	}
	clear(m.unwritten)
	m.unwritten = m.unwritten[:0]
	return nil
}

// close writes what is unwritten and closes the store.
func (m *memory) close() error { return errors.Join(m.write(), m.store.close()) }
