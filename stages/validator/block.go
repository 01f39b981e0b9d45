package validator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// A segment is a sequence of blocks. A block is
//
//	magic      8 bytes
//	checksum   of all that follows up to the body, CRC-32C, 4 bytes, little endian
//	length     of the rest of the header, 4 bytes, little endian
//	header     see [header], as varints
//	body       readings, by the codec columnar
//
// The blocks of a batch follow each other, and all but the last say that there
// are more.
const (
	magic      = "\x8aKRV\r\n\x1a\n"
	prefixLen  = len(magic) + 4 + 4
	maxHeader  = (7 + 2*maxStretches) * binary.MaxVarintLen64
	maxBlock   = 10_000   // readings
	blockBytes = 8 << 20  // of payloads, in a block of more than one
	maxBody    = 64 << 20 // nothing writes as much
)

// unpacked bounds what a body is unpacked to: only what was written as a block is
// unpacked, see its checksum.
var unpacked = batch.Limits{MaxBytes: 1 << 30, MaxRatio: 1 << 30, MaxReadings: maxBlock}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header says what a block holds.
type header struct {
	bodyLen  int
	checksum uint32 // of the body
	count    int    // of its readings
	first    int64  // number of the first of them in the segment, from 1 on
	arrived  int64  // nanoseconds since 1970
	more     bool   // another block of the same batch follows
	covers   coverage
}

// appendBlock appends a block of readings.
func appendBlock(dst []byte, h *header, rs []reading.Reading) ([]byte, error) {
	body, err := batch.Columnar().Append(nil, rs)
	if err != nil {
		return dst, err
	}
	h.bodyLen, h.checksum, h.count = len(body), crc32.Checksum(body, castagnoli), len(rs)
	for i := range rs {
		h.covers = h.covers.add(rs[i].Time, h.arrived)
	}
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = h.append(dst)
	prefix := dst[start+len(magic):]
	binary.LittleEndian.PutUint32(prefix[4:], uint32(len(dst)-start-prefixLen))
	binary.LittleEndian.PutUint32(prefix, crc32.Checksum(prefix[4:], castagnoli))
	return append(dst, body...), nil
}

func (h *header) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(h.bodyLen))
	dst = binary.AppendUvarint(dst, uint64(h.checksum))
	dst = binary.AppendUvarint(dst, uint64(h.count))
	dst = binary.AppendUvarint(dst, uint64(h.first))
	dst = binary.AppendVarint(dst, h.arrived)
	more := uint64(0)
	if h.more {
		more = 1
	}
	dst = binary.AppendUvarint(dst, more)
	dst = binary.AppendUvarint(dst, uint64(len(h.covers)))
	before := int64(0)
	for _, t := range h.covers {
		dst = binary.AppendVarint(dst, t.From-before)
		dst = binary.AppendVarint(dst, t.To-t.From)
		before = t.To
	}
	return dst
}

var errHeader = errors.New("the header of a block is not as it was written")

// parse reads what append has written.
func (h *header) parse(b []byte) error {
	ok := true
	unsigned := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			ok, b = false, nil
			return 0
		}
		b = b[n:]
		return v
	}
	signed := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			ok, b = false, nil
			return 0
		}
		b = b[n:]
		return v
	}
	bodyLen, checksum, count, first := unsigned(), unsigned(), unsigned(), unsigned()
	arrived, more, stretches := signed(), unsigned(), unsigned()
	if !ok || bodyLen > maxBody || count > maxBlock || stretches > maxStretches {
		return errHeader
	}
	*h = header{bodyLen: int(bodyLen), checksum: uint32(checksum), count: int(count), first: int64(first), arrived: arrived, more: more != 0}
	before := int64(0)
	for range stretches {
		from := before + signed()
		before = from + signed()
		h.covers = append(h.covers, times{from, before})
	}
	if !ok || len(b) > 0 {
		return errHeader
	}
	return nil
}

// readings appends those of a body.
func (h *header) readings(dst []reading.Reading, body []byte) ([]reading.Reading, error) {
	if sum := crc32.Checksum(body, castagnoli); sum != h.checksum {
		return dst, fmt.Errorf("the readings that arrived at %s are not as they were written: the checksum is %08x, not %08x", time.Unix(0, h.arrived).UTC().Format(time.RFC3339Nano), sum, h.checksum)
	}
	n := len(dst)
	dst, err := batch.Columnar().Decode(dst, body, unpacked)
	if err == nil && len(dst)-n != h.count {
		err = fmt.Errorf("a block has %d readings, and says that it has %d", len(dst)-n, h.count)
	}
	return dst, err
}
