package validator

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// scanner reads the blocks of a segment in their order. What is no block is told,
// and passed over.
type scanner struct {
	r    *bufio.Reader
	at   int64 // where r is
	size int64

	header
	start int64 // of the block
	body  []byte
}

// damaged is a stretch of a segment that is no block.
type damaged struct {
	from, to int64
	err      error
}

// scanBuffer is more than the longest header.
const scanBuffer = 256 << 10

// scan begins at an offset, at which a block begins or which is the size.
func scan(r io.ReaderAt, from, size int64) *scanner {
	return &scanner{r: bufio.NewReaderSize(io.NewSectionReader(r, from, size-from), scanBuffer), at: from, size: size}
}

// next goes to the next block, or to a stretch that is none. At the end it returns
// io.EOF.
func (s *scanner) next() (*damaged, error) {
	if s.at >= s.size {
		return nil, io.EOF
	}
	err := s.head()
	if err == nil {
		return nil, nil
	}
	if !errors.Is(err, errHeader) {
		return nil, err
	}
	d := &damaged{from: s.at, err: err}
	d.to, err = s.resume()
	return d, err
}

// head reads the header of a block. When there is none it returns errHeader, and
// has consumed nothing.
func (s *scanner) head() error {
	prefix, err := s.peek(prefixLen)
	if err != nil {
		return err
	}
	if string(prefix[:len(magic)]) != magic {
		return errHeader
	}
	n := int64(binary.LittleEndian.Uint32(prefix[len(magic)+4:]))
	if n > int64(maxHeader) {
		return errHeader
	}
	all, err := s.peek(prefixLen + int(n))
	if err != nil {
		return err
	}
	checked := all[len(magic):]
	if binary.LittleEndian.Uint32(checked) != crc32.Checksum(checked[4:], castagnoli) {
		return errHeader
	}
	if err := s.parse(all[prefixLen:]); err != nil {
		return err
	}
	if s.at+int64(len(all)+s.bodyLen) > s.size {
		return fmt.Errorf("%w: its readings are not all there", errHeader)
	}
	s.start = s.at
	return s.discard(len(all))
}

// peek returns the next n bytes. That there are fewer is errHeader.
func (s *scanner) peek(n int) ([]byte, error) {
	b, err := s.r.Peek(n)
	if errors.Is(err, io.EOF) {
		return nil, errHeader
	}
	return b, err
}

func (s *scanner) discard(n int) error {
	n, err := s.r.Discard(n)
	s.at += int64(n)
	return err
}

// resume goes on to what looks like a block, or to the end, and returns where that
// is.
func (s *scanner) resume() (int64, error) {
	if err := s.discard(1); err != nil {
		return s.at, err
	}
	for {
		b, err := s.r.Peek(scanBuffer / 2)
		if err != nil && !errors.Is(err, io.EOF) {
			return s.at, err
		}
		if i := bytes.Index(b, []byte(magic)); i >= 0 {
			return s.at + int64(i), s.discard(i)
		}
		if err != nil { // nothing follows
			return s.at + int64(len(b)), s.discard(len(b))
		}
		if err := s.discard(len(b) - len(magic) + 1); err != nil {
			return s.at, err
		}
	}
}

// skip passes over the body of the block.
func (s *scanner) skip() error { return s.discard(s.bodyLen) }

// read returns the body of the block, until the next call.
func (s *scanner) read() ([]byte, error) {
	s.body = slices.Grow(s.body[:0], s.bodyLen)[:s.bodyLen]
	n, err := io.ReadFull(s.r, s.body)
	s.at += int64(n)
	return s.body, err
}
