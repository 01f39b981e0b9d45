package mqtt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

// delivery is a PUBLISH as it came. Its properties stay as they were on the
// wire until somebody asks for them. What is wrong inside of them concerns
// neither the connection nor the other deliveries: a connection that failed
// over them would fail again when the same message comes again, for ever.
type delivery struct {
	id         uint16 // 0 with QoS 0
	duplicate  bool   // sent before
	retain     bool
	topic      string
	properties []byte
	payload    []byte
}

// overhead is what a delivery takes beside what its sender decides.
const overhead = 128

// size is the memory that a delivery takes.
func (d *delivery) size() feed.Size {
	return feed.Size(overhead + len(d.topic) + len(d.properties) + len(d.payload))
}

// sameSeed makes sums comparable within the process.
var sameSeed = maphash.MakeSeed()

// sum tells deliveries apart. It leaves out the properties, among which the
// expiry counts down.
func (d *delivery) sum() uint64 {
	var h maphash.Hash
	h.SetSeed(sameSeed)
	_, _ = h.WriteString(d.topic) // never fails
	_ = h.WriteByte(0)            // which no topic has
	_, _ = h.Write(d.payload)
	return h.Sum64()
}

// The flags of a PUBLISH, in its first byte: MQTT 5.0 §3.3.1.
const (
	flagDuplicate = 1 << 3
	flagRetain    = 1 << 0
)

var errTruncated = errors.New("it ends too early")

// parsePublish takes a PUBLISH apart. The delivery keeps body.
func parsePublish(first byte, body []byte) (*delivery, error) {
	d := &delivery{duplicate: first&flagDuplicate != 0, retain: first&flagRetain != 0}
	wrong := func(err error) (*delivery, error) { return nil, fmt.Errorf("%w: PUBLISH: %w", errProtocol, err) }
	qos := first >> 1 & 3
	if qos > 1 {
		return wrong(fmt.Errorf("QoS %d, and 1 was subscribed to", qos))
	}
	if qos == 0 && d.duplicate {
		return wrong(errors.New("a duplicate with QoS 0"))
	}
	topic, rest, ok := cutString(body)
	if !ok {
		return wrong(errTruncated)
	}
	d.topic = string(topic)
	if d.topic == "" {
		return wrong(errors.New("a topic alias, and none is allowed"))
	}
	// Control characters and code points that are no character are merely
	// advised against (MQTT 5.0 §1.5.4): what a broker lets pass is handed out, and
	// whoever cannot carry it says so of the message.
	if !utf8.ValidString(d.topic) || strings.ContainsAny(d.topic, "+#\x00") {
		return wrong(errors.New("the topic " + clip(d.topic) + " is none"))
	}
	if qos > 0 {
		if len(rest) < 2 {
			return wrong(errTruncated)
		}
		d.id, rest = binary.BigEndian.Uint16(rest), rest[2:]
		if d.id == 0 {
			return wrong(errors.New("packet id 0"))
		}
	}
	n, rest, ok := cutVarint(rest)
	if !ok || n > len(rest) {
		return wrong(errTruncated)
	}
	d.properties, d.payload = rest[:n:n], rest[n:]
	return d, nil
}

// isPublish reports whether first is the first byte of a PUBLISH.
func isPublish(first byte) bool { return first>>4 == packets.PUBLISH }

// cutString cuts a length and as many bytes off p.
func cutString(p []byte) (s, rest []byte, ok bool) {
	if len(p) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(p))
	if p = p[2:]; n > len(p) {
		return nil, nil, false
	}
	return p[:n], p[n:], true
}

// cutVarint cuts a Variable Byte Integer off p.
func cutVarint(p []byte) (n int, rest []byte, ok bool) {
	for i, shift := 0, 0; i < len(p) && shift <= 21; i, shift = i+1, shift+7 {
		n |= int(p[i]&0x7f) << shift
		if p[i] < 0x80 {
			return n, p[i+1:], true
		}
	}
	return 0, nil, false
}
