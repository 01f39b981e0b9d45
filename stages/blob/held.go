package blob

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/ThreeDotsLabs/watermill/message"
)

// held gathers which messages an object holds, whatever they are encoded to: by
// their payloads, in order. Their ids may be others when they are read again.
type held struct {
	payloads hash.Hash
	length   [8]byte
}

func newHeld() *held { return &held{payloads: sha256.New()} }

// begin starts the next object.
func (h *held) begin() { h.payloads.Reset() }

// add takes a message that has a line in the object.
func (h *held) add(m *message.Message) {
	binary.BigEndian.PutUint64(h.length[:], uint64(len(m.Payload)))
	h.payloads.Write(h.length[:]) // a hash returns no error
	h.payloads.Write(m.Payload)
}

// sum returns what the object holds.
func (h *held) sum() string { return hex.EncodeToString(h.payloads.Sum(nil)) }
