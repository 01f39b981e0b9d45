package blob

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// identity gathers what makes an object different from every other one: not
// its content alone, since two batches may well say the same ({"door":"open"},
// each by itself), and the second must not be taken for a retry of the first.
// All that goes in stays the same when a route tries a batch again, so that an
// object whose answer was lost is found under its name.
type identity struct {
	received time.Time // of the batch
	part     int       // which object of its path in the batch, from 1
	ids      hash.Hash
	scratch  []byte
}

func newIdentity(received time.Time) *identity {
	return &identity{received: received, ids: sha256.New()}
}

// begin starts the next object.
func (d *identity) begin() {
	d.part++
	d.ids.Reset()
}

// add takes a message that has a line in the object. Deliveries that came
// together have the same time of receipt; their ids still differ.
func (d *identity) add(m *message.Message) {
	d.scratch = binary.AppendUvarint(d.scratch[:0], uint64(len(m.UUID)))
	d.scratch = append(d.scratch, m.UUID...)
	d.ids.Write(d.scratch) // a hash returns no error
}

// name returns the {hash} of the object with the given content hash.
func (d *identity) name(content string) string {
	d.scratch = append(d.scratch[:0], content...)
	d.scratch = binary.BigEndian.AppendUint64(d.scratch, uint64(d.received.UnixNano())) //nolint:gosec // as bits
	d.scratch = binary.BigEndian.AppendUint64(d.scratch, uint64(d.part))                //nolint:gosec // never negative
	d.scratch = d.ids.Sum(d.scratch)
	sum := sha256.Sum256(d.scratch)
	return hex.EncodeToString(sum[:])[:hashLen]
}
