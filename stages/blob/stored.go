package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// chunkBytes is how much of an object of lines one request fetches.
const chunkBytes = 4 << 20

// stored reads the bytes of an object from the first to the last, a chunk at a
// time, and checks them against the hash that is stored with them.
type stored struct {
	ctx   context.Context
	w     *worker
	t     *target
	next  int64  // offset of the next chunk
	chunk []byte // what is left of the last one
	sum   hash.Hash
	err   error // not damage: of the store, or of the context
}

func (w *worker) stored(ctx context.Context, t *target) *stored {
	s := &stored{ctx: ctx, w: w, t: t}
	if t.SHA256 != "" {
		s.sum = sha256.New()
	}
	return s
}

func (s *stored) Read(p []byte) (int, error) {
	if len(s.chunk) == 0 {
		if err := s.fetch(s.t.Bytes); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.chunk)
	s.chunk = s.chunk[n:]
	return n, nil
}

// fetch reads the next chunk, which ends at an offset at most. At that it returns
// io.EOF.
func (s *stored) fetch(end int64) error {
	n := min(chunkBytes, end-s.next)
	switch {
	case s.err != nil:
		return s.err
	case n <= 0:
		return io.EOF
	case cap(s.w.chunk) < int(n):
		s.w.chunk = make([]byte, n)
	}
	chunk := s.w.chunk[:n]
	if s.err = s.w.readAt(s.ctx, s.t, chunk, s.next); s.err != nil {
		return s.err
	}
	s.next += n
	s.chunk = chunk
	if s.sum != nil {
		s.sum.Write(chunk) // a hash returns no error
	}
	return nil
}

// upTo reads what is left before an offset.
func (s *stored) upTo(end int64) error {
	for s.next < end {
		if err := s.fetch(end); err != nil {
			return err
		}
	}
	return s.err
}

// include counts a part that was read by other means, behind what is left before it.
func (s *stored) include(from int64, part []byte) error {
	if err := s.upTo(from); err != nil {
		return err
	}
	if known := s.next - from; known < int64(len(part)) {
		s.sum.Write(part[known:])
		s.next = from + int64(len(part))
	}
	return nil
}

// verify reads what is left, and checks the hash.
func (s *stored) verify() error {
	if err := s.upTo(s.t.Bytes); err != nil {
		return err
	}
	if s.sum == nil {
		return nil
	}
	return checkHash(s.t.SHA256, s.sum.Sum(nil))
}

func checkHash(want string, sum []byte) error {
	if got := hex.EncodeToString(sum); got != want {
		return damaged("the stored hash differs: %s is stored with the object, and its bytes have %s", want, got)
	}
	return nil
}
