package unbatch

import (
	"crypto/sha256"
	"errors"
	"fmt"

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
	store    store
	inFlight map[name]checksum // and those in unwritten
	// unwritten were delivered and are not in the store yet.
	unwritten []mark
}

// maxInFlight bounds what is remembered of batches that were started and, as far
// as is known, have not ended. No source of batches hands out as many; those that
// were given back and went elsewhere are what gathers here. Which of them is
// forgotten does not matter: see the package's comment.
const maxInFlight = 65_536

func newMemory(s store) *memory {
	return &memory{store: s, inFlight: make(map[name]checksum)}
}

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
	state := "in flight"
	sum, known := m.inFlight[n]
	if !known {
		state = "delivered"
		if sum, known, err = m.store.lookup(n); err != nil {
			return false, err
		}
		repeated = known
	}
	if known && sum != e.Checksum {
		return false, conflict(e, sum, state)
	}
	return repeated, nil
}

func conflict(e *batch.Envelope, first checksum, state string) error {
	return feed.Permanent(fmt.Errorf("conflict: a batch with this number and another content is %s: the SHA-256 of that begins with %x, of this with %x", state, first[:8], e.Checksum[:8]))
}

// started notes that messages were made of a batch.
func (m *memory) started(e *batch.Envelope) {
	n := name{e.Device, e.Sequence}
	if _, ok := m.inFlight[n]; !ok && len(m.inFlight) >= maxInFlight {
		for any := range m.inFlight {
			delete(m.inFlight, any)
			break
		}
	}
	m.inFlight[n] = e.Checksum
}

// ended notes that all messages of a batch have ended. One that was delivered is
// to be written.
func (m *memory) ended(e *batch.Envelope, delivered bool) {
	n := name{e.Device, e.Sequence}
	if delivered {
		m.unwritten = append(m.unwritten, mark{n, e.Checksum})
	} else {
		delete(m.inFlight, n)
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
	for _, w := range m.unwritten {
		delete(m.inFlight, w.name)
	}
	clear(m.unwritten)
	m.unwritten = m.unwritten[:0]
	return nil
}

// close writes what is unwritten and closes the store.
func (m *memory) close() error { return errors.Join(m.write(), m.store.close()) }
