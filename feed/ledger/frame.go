package ledger

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// segmentMagic begins a segment; the digit is the version of the format.
const segmentMagic = "DFLEDG1\n"

// frameMagic begins a block in a segment.
const frameMagic = "dflb"

// headBytes is the length of what stands before the records of a block: the magic,
// their length as stored and before compression, their number, the times, and the
// checksum of all that follows the magic but itself.
const headBytes = 4 + 4 + 4 + 4 + 8 + 8 + 4

// frame is a block as it stands in a segment.
type frame struct {
	body     []byte // compressed
	raw      int    // bytes before that
	rows     int
	from, to int64
}

// appendHead begins a frame; the body is to be appended, and seal to be called.
func appendHead(dst []byte) []byte { return append(dst, make([]byte, headBytes)...) }

// seal completes the head of a frame, which is all of dst.
func seal(dst []byte, b *block) {
	copy(dst, frameMagic)
	binary.LittleEndian.PutUint32(dst[4:], uint32(len(dst)-headBytes))
	binary.LittleEndian.PutUint32(dst[8:], uint32(len(b.raw)))
	binary.LittleEndian.PutUint32(dst[12:], uint32(b.rows))
	binary.LittleEndian.PutUint64(dst[16:], uint64(b.from))
	binary.LittleEndian.PutUint64(dst[24:], uint64(b.to))
	binary.LittleEndian.PutUint32(dst[32:], checksum(dst))
}

// checksum is that of a whole frame.
func checksum(f []byte) uint32 {
	return crc32.Update(crc32.Checksum(f[len(frameMagic):32], castagnoli), castagnoli, f[headBytes:])
}

// parseFrame reads the frame that data begins with, and returns its length; ok is
// false when there is no whole one.
func parseFrame(data []byte) (f frame, length int, ok bool) {
	if len(data) < headBytes || string(data[:4]) != frameMagic {
		return frame{}, 0, false
	}
	body := uint64(binary.LittleEndian.Uint32(data[4:]))
	if body > uint64(len(data)-headBytes) {
		return frame{}, 0, false
	}
	length = headBytes + int(body)
	f = frame{
		body: data[headBytes:length], raw: int(binary.LittleEndian.Uint32(data[8:])), rows: int(binary.LittleEndian.Uint32(data[12:])),
		from: int64(binary.LittleEndian.Uint64(data[16:])), to: int64(binary.LittleEndian.Uint64(data[24:])),
	}
	if f.raw > mostBytes || checksum(data[:length]) != binary.LittleEndian.Uint32(data[32:]) {
		return frame{}, 0, false
	}
	return f, length, true
}

// frames hands out the whole frames of a segment, in order, and returns how many
// bytes are of none: the end of one that was being written, or damage.
func frames(data []byte, take func(frame) error) (unreadable int64, _ error) {
	rest := data
	if bytes.HasPrefix(data, []byte(segmentMagic)) {
		rest = data[len(segmentMagic):]
	}
	for len(rest) > 0 {
		f, length, ok := parseFrame(rest)
		if ok {
			if err := take(f); err != nil {
				return unreadable, err
			}
			rest = rest[length:]
			continue
		}
		skip := len(rest)
		if next := bytes.Index(rest[1:], []byte(frameMagic)); next >= 0 {
			skip = 1 + next
		}
		unreadable += int64(skip)
		rest = rest[skip:]
	}
	return unreadable, nil
}
