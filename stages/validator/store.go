package validator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/filelock"
	"github.com/kraft-edge/datafeed/internal/wholefile"
)

// store keeps readings in the order in which they arrived, in segments of a
// directory. One call at a time may append or drop; all else may be called at any
// time.
type store struct {
	dir  string
	most int64 // bytes of all segments

	lock   io.Closer
	file   *os.File // the last segment; nil: a new one is needed
	buffer []byte
	wanted int64 // bytes that there was no room for

	mu       sync.Mutex
	segments []*segment // by number
	bytes    int64      // of all

	// reading is held while segments are read, so that none is dropped.
	reading sync.RWMutex
}

// lockName is the file that the process locks which writes to a directory.
const lockName = "lock"

const (
	// Segments are as long as one of these permits, and of maxBytes a part, so that
	// room is made in small steps.
	segmentBytes = 16 << 20
	segmentAge   = time.Hour
	segmentParts = 16
)

// errFull says that there is no room. It ends when windows have been judged.
var errFull = errors.New("the store is full")

// openStore opens a directory, which it makes unless it is there. known are segments
// whose contents need not be looked at again; touched are the times of what arrived
// since a position, cut the bytes of a batch that was not written to its end.
func openStore(dir string, most feed.Size, known []segment, since position) (s *store, touched coverage, cut int64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, 0, err
	}
	s = &store{dir: dir, most: int64(most)}
	if s.lock, err = filelock.Take(filepath.Join(dir, lockName)); err != nil {
		return nil, nil, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	numbers, err := segmentsIn(dir)
	if err != nil {
		return nil, nil, 0, err
	}
	for i, number := range numbers {
		last := i == len(numbers)-1
		g, since, err := s.find(number, known, since, last)
		if err != nil {
			return nil, nil, 0, err
		}
		touched = touched.merge(since, g.Arrived)
		s.segments = append(s.segments, g)
		if last {
			if cut, err = s.resume(g); err != nil {
				return nil, nil, 0, err
			}
		}
		s.bytes += g.Size
	}
	return s, touched, cut, nil
}

// segmentsIn lists the numbers of the segments in a directory.
func segmentsIn(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		if n, ok := segmentNumber(e.Name()); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// find returns what is known of a segment, or looks.
func (s *store) find(number int, known []segment, since position, last bool) (*segment, coverage, error) {
	i := slices.IndexFunc(known, func(g segment) bool { return g.Number == number })
	if i >= 0 && !last && number < since.Segment {
		if info, err := os.Stat(filepath.Join(s.dir, segmentName(number))); err == nil && info.Size() == known[i].Size {
			return &known[i], nil, nil
		}
	}
	g, touched, err := survey(s.dir, number, since, last)
	return &g, touched, err
}

// resume opens the last segment to be gone on with, without what a crash has left of
// a batch that was not acknowledged.
func (s *store) resume(g *segment) (cut int64, err error) {
	if s.file, err = os.OpenFile(filepath.Join(s.dir, segmentName(g.Number)), os.O_RDWR, 0); err != nil {
		return 0, err
	}
	info, err := s.file.Stat()
	if err != nil || info.Size() == g.Size {
		return 0, err
	}
	return info.Size() - g.Size, errors.Join(s.file.Truncate(g.Size), s.file.Sync())
}

// last returns the segment that is written to; nil when there is none.
func (s *store) last() *segment {
	if s.file == nil {
		return nil
	}
	return s.segments[len(s.segments)-1]
}

// grown reports whether a new segment is to be begun.
func (s *store) grown(now int64) bool {
	g := s.last()
	return g == nil || g.Size >= min(segmentBytes, s.most/segmentParts) || g.Readings > 0 && now-g.Began >= int64(segmentAge)
}

// begin begins a new segment.
func (s *store) begin() error {
	if g := s.last(); g != nil {
		// What a failed write may have left must not stand behind the end.
		f := s.file
		s.file = nil
		if err := errors.Join(f.Truncate(g.Size), f.Close()); err != nil {
			return err
		}
	}
	number := 1
	if n := len(s.segments); n > 0 {
		number = s.segments[n-1].Number + 1
	}
	f, err := os.OpenFile(filepath.Join(s.dir, segmentName(number)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := wholefile.SyncDir(s.dir); err != nil {
		return errors.Join(err, f.Close())
	}
	s.file = f
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = append(s.segments, &segment{Number: number})
	return nil
}

// append stores readings, all or none, and returns their times. When it returns no
// error they are durable. It returns errFull, and has changed nothing, when there is
// no room.
func (s *store) append(rs []reading.Reading, arrived int64) (coverage, error) {
	g := s.last()
	blocks, err := s.encode(rs, arrived, g.Readings+1)
	if err != nil {
		return nil, err
	}
	if s.wanted = int64(len(s.buffer)); s.lacks() {
		return nil, errFull
	}
	_, err = s.file.WriteAt(s.buffer, g.Size)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, s.undo(g))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var covers coverage
	end := g.Size + int64(len(s.buffer))
	for i := range blocks {
		g.note(&blocks[i], end)
		covers = covers.merge(blocks[i].covers, arrived)
	}
	s.bytes, s.wanted = s.bytes+int64(len(s.buffer)), 0
	return covers, nil
}

// undo removes what a failed write may have left. A file of which that fails, too, is
// written to no more: the next batch begins another segment.
func (s *store) undo(g *segment) error {
	err := s.file.Truncate(g.Size)
	if err != nil {
		err = errors.Join(err, s.file.Close())
		s.file = nil
	}
	return err
}

// lacks reports whether there is no room for what was to be appended.
func (s *store) lacks() bool { return s.bytes+s.wanted > s.most }

// encode makes blocks of readings in the buffer.
func (s *store) encode(rs []reading.Reading, arrived, first int64) (blocks []header, err error) {
	if cap(s.buffer) > 2*blockBytes {
		s.buffer = nil
	}
	s.buffer = s.buffer[:0]
	for len(rs) > 0 {
		n, bytes := 1, len(rs[0].Value.Text())
		for n < len(rs) && n < maxBlock && bytes < blockBytes {
			bytes += len(rs[n].Value.Text())
			n++
		}
		h := header{first: first, arrived: arrived, more: n < len(rs)}
		if s.buffer, err = appendBlock(s.buffer, &h, rs[:n]); err != nil {
			return nil, err
		}
		blocks = append(blocks, h)
		rs, first = rs[n:], first+int64(n)
	}
	return blocks, nil
}

// snapshot returns what is durable now, and where that ends.
func (s *store) snapshot() ([]segment, position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]segment, len(s.segments))
	for i, g := range s.segments {
		all[i] = *g
		all[i].Covers = slices.Clone(g.Covers)
	}
	if len(all) == 0 {
		return nil, position{}
	}
	last := &all[len(all)-1]
	return all, position{last.Number, last.Size}
}

// stored returns how many bytes the segments take.
func (s *store) stored() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// drop removes a segment that is not the last one.
func (s *store) drop(number int) error {
	if err := os.Remove(filepath.Join(s.dir, segmentName(number))); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = slices.DeleteFunc(s.segments, func(g *segment) bool {
		if g.Number == number {
			s.bytes -= g.Size
		}
		return g.Number == number
	})
	return nil
}

// close ends it. It is called once, and nothing after it.
func (s *store) close() error {
	var err error
	if s.file != nil {
		err = s.file.Close()
	}
	if err = errors.Join(err, s.lock.Close()); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}
