package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/s2"
)

// appender writes blocks to segments. It is for one goroutine, but for the
// figures.
type appender struct {
	dir                string
	segmentMax, allMax int64
	create             func(path string) (file, error)

	packed  []byte // reused, as is frame
	frame   []byte
	old     []segment
	file    file // nil when there is none, or when it cannot be relied on
	path    string
	number  uint64 // of the last segment
	written int64  // bytes of file

	held     atomic.Int64 // bytes of all segments
	segments atomic.Int64
}

// file is what an appender needs of an *os.File.
type file interface {
	io.Writer
	Truncate(size int64) error
	Sync() error
	io.Closer
}

func newAppender(c *Config) (*appender, error) {
	old, err := segmentsOf(c.Path)
	if err != nil {
		return nil, err
	}
	a := &appender{dir: c.Path, segmentMax: c.segmentBytes(), allMax: int64(c.MaxBytes), create: createFile, old: old}
	if n := len(old); n > 0 {
		a.number = old[n-1].number
	}
	a.count()
	return a, nil
}

func createFile(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
}

// append writes a block. When it fails, nothing of the block remains that a reader
// would take for one, and the next call begins anew.
func (a *appender) append(b *block) error {
	a.packed = s2.Encode(a.packed[:cap(a.packed)], b.raw)
	a.frame = append(appendHead(a.frame[:0]), a.packed...)
	seal(a.frame, b)
	if a.file == nil || a.written+int64(len(a.frame)) > a.segmentMax {
		if err := a.rotate(); err != nil {
			return err
		}
	}
	return a.write(a.frame)
}

// write appends bytes to the segment, or leaves it as it was.
func (a *appender) write(p []byte) error {
	_, err := a.file.Write(p)
	if err == nil {
		a.written += int64(len(p))
		a.count()
		return nil
	}
	if cutErr := a.file.Truncate(a.written); cutErr != nil { // readers pass over what remains
		err = errors.Join(err, cutErr, a.leave())
	}
	return err
}

// leave closes the segment.
func (a *appender) leave() error {
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.old = append(a.old, segment{a.path, a.number, a.written})
	a.file, a.written = nil, 0
	a.count()
	return err
}

// rotate begins the next segment, and removes the oldest ones that are beyond the
// bound then.
func (a *appender) rotate() error {
	if err := a.leave(); err != nil {
		return fmt.Errorf("close %s: %w", a.path, err)
	}
	for held := a.held.Load(); len(a.old) > 0 && held+a.segmentMax > a.allMax; held = a.held.Load() {
		if err := os.Remove(a.old[0].path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		a.old = a.old[1:]
		a.count()
	}
	a.number++ // also after a failure: what may be there stays as it is
	path := segmentPath(a.dir, a.number)
	f, err := a.create(path)
	if err != nil {
		return err
	}
	a.file, a.path = f, path
	if err := a.write([]byte(segmentMagic)); err != nil {
		if a.file != nil {
			err = errors.Join(err, a.file.Close())
			a.file = nil
		}
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// count updates the figures.
func (a *appender) count() {
	bytes, n := a.written, int64(len(a.old))
	for _, s := range a.old {
		bytes += s.bytes
	}
	if a.file != nil {
		n++
	}
	a.held.Store(bytes)
	a.segments.Store(n)
}

// close ends the last segment, and waits for the disk.
func (a *appender) close() error {
	var err error
	if a.file != nil {
		err = a.file.Sync()
	}
	return errors.Join(err, a.leave())
}
