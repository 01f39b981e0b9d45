package bridge

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// eventID returns an id of m as it came: 128 bits of a hash, as 32 hexadecimal
// digits. A message that is delivered again has the same one; two that differ in
// nothing have one too.
func eventID(m *message.Message) string {
	var buf [512]byte
	b := buf[:0]
	for _, text := range [...]string{feed.Topic(m), m.Metadata[feed.MetaTime], m.UUID} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
	}
	hash := sha256.Sum256(append(b, m.Payload...))
	return hex.EncodeToString(hash[:16])
}
