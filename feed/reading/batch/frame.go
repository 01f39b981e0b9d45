package batch

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// magic begins each frame: no text begins so in UTF-8.
const magic = "\x8aKRB"

const (
	version = 1

	maxCodecName = 32
	// maxHeader is the length of the longest header.
	maxHeader = 2 + reading.MaxName + 1 + maxCodecName + 5*binary.MaxVarintLen64
	// maxPrefix is all that stands before the body.
	maxPrefix = len(magic) + 1 + 2 + maxHeader + sha256.Size
)

// seal puts the header before a body that begins at buf[start+maxPrefix:], and
// returns buf with the frame from start on.
func (e *Envelope) seal(buf []byte, start int) []byte {
	body := buf[start+maxPrefix:]
	var header [maxHeader]byte
	h := e.appendHeader(header[:0], len(body))
	frame := buf[:start]
	frame = append(frame, magic...)
	frame = append(frame, version)
	frame = binary.AppendUvarint(frame, uint64(len(h)))
	frame = append(frame, h...)
	e.Checksum = checksum(frame[start:], body)
	frame = append(frame, e.Checksum[:]...)
	return append(frame, body...) // which overlaps: append moves
}

func (e *Envelope) appendHeader(dst []byte, bodyLen int) []byte {
	dst = appendString(dst, e.Device)
	dst = binary.AppendUvarint(dst, e.Sequence)
	dst = appendString(dst, e.Codec)
	dst = binary.AppendUvarint(dst, uint64(e.Count))
	dst = binary.AppendVarint(dst, e.First)
	dst = binary.AppendUvarint(dst, uint64(e.Last-e.First)) // which may wrap
	return binary.AppendUvarint(dst, uint64(bodyLen))
}

func checksum(before, body []byte) (sum [32]byte) {
	h := sha256.New()
	h.Write(before)
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}

// Parse reads the envelope of a frame and checks that the frame is whole. An
// error is a [*Corrupt].
func Parse(frame []byte, l Limits) (Batch, error) {
	b, before, err := parse(frame)
	if err != nil {
		return Batch{}, err
	}
	if checksum(frame[:before], b.Body) != b.Checksum {
		return Batch{}, corrupt(ReasonChecksum, "the SHA-256 over header and body is another than that in the frame")
	}
	if l = l.OrDefaults(); b.Count > l.MaxReadings {
		return Batch{}, corrupt(ReasonLimits, "the header says %d readings, %d are allowed", b.Count, l.MaxReadings)
	}
	return b, nil
}

// ParseEnvelope reads the envelope of a frame alone: it does not look at the body
// and does not compute the checksum. An error is a [*Corrupt].
func ParseEnvelope(frame []byte) (Envelope, error) {
	b, _, err := parse(frame)
	if err != nil {
		return Envelope{}, err
	}
	return b.Envelope, nil
}

// parse takes a frame apart; before is the length of what stands before the
// checksum.
func parse(frame []byte) (b Batch, before int, err error) {
	switch n := min(len(frame), len(magic)); {
	case string(frame[:n]) != magic[:n]:
		return Batch{}, 0, corrupt(ReasonFormat, "it does not begin as a batch of readings does")
	case len(frame) <= len(magic):
		return Batch{}, 0, corrupt(ReasonTruncated, "it has only %d bytes", len(frame))
	case frame[len(magic)] != version:
		return Batch{}, 0, corrupt(ReasonFormat, "it has version %d, known is %d", frame[len(magic)], version)
	}
	rest := cursor{b: frame[len(magic)+1:]}
	headerLen := rest.uvarint()
	if !rest.failed && headerLen > maxHeader {
		return Batch{}, 0, corrupt(ReasonFormat, "the header has %d bytes, more than %d", headerLen, maxHeader)
	}
	header := cursor{b: rest.bytes(headerLen)}
	before = len(frame) - len(rest.b)
	sum := rest.bytes(sha256.Size)
	if rest.failed {
		return Batch{}, 0, corrupt(ReasonTruncated, "the frame ends within its header")
	}
	copy(b.Checksum[:], sum)
	bodyLen := header.envelope(&b.Envelope)
	switch {
	case header.failed || len(header.b) > 0:
		return Batch{}, 0, corrupt(ReasonFormat, "the header of %d bytes is malformed", headerLen)
	case uint64(len(rest.b)) < bodyLen:
		return Batch{}, 0, corrupt(ReasonTruncated, "the body has %d bytes, the header says %d", len(rest.b), bodyLen)
	case uint64(len(rest.b)) > bodyLen:
		return Batch{}, 0, corrupt(ReasonFormat, "%d bytes follow the frame", uint64(len(rest.b))-bodyLen)
	}
	b.Body = rest.b
	return b, before, nil
}

// envelope reads a header and returns the length of the body.
func (c *cursor) envelope(e *Envelope) (bodyLen uint64) {
	device := c.bytes(c.uvarint())
	e.Sequence = c.uvarint()
	codec := c.bytes(c.uvarint())
	count := c.uvarint()
	e.First = c.varint()
	e.Last = e.First + int64(c.uvarint())
	bodyLen = c.uvarint()
	if len(device) == 0 || len(device) > reading.MaxName || !utf8.Valid(device) ||
		len(codec) == 0 || len(codec) > maxCodecName || count == 0 || count > math.MaxInt32 || e.Last < e.First {
		c.failed = true
		return 0
	}
	e.Device, e.Codec, e.Count = string(device), string(codec), int(count)
	return bodyLen
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
