package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/s2"
)

// Progress is how far a search is, in bytes of segments.
type Progress struct{ Read, Total int64 }

// scan is one pass over all segments of a ledger, the newest first, a few at a
// time.
type scan struct {
	dir   string
	since time.Time // what ended before is passed over, as far as whole blocks did
	// pick is called for each record, from several goroutines.
	pick     func(*rows) bool
	take     func(Entry) // for those that pick wants; one call at a time
	progress func(Progress)

	mu         sync.Mutex
	read       atomic.Int64
	records    atomic.Int64
	unreadable atomic.Int64
}

func (s *scan) run(ctx context.Context) error {
	segments, err := segmentsOf(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no ledger %s: no feed has written one here yet: %w", s.dir, err)
	}
	if err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	total := int64(0)
	for _, g := range segments {
		total += g.bytes
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan segment)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(segments)) {
		workers.Go(func() {
			w := &scanner{scan: s, total: total}
			for g := range next {
				if err := w.segment(ctx, g); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := len(segments) - 1; i >= 0 && ctx.Err() == nil; i-- {
		select {
		case next <- segments[i]:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("read ledger %s: %w", s.dir, err)
	}
	return nil
}

// scanner is what one goroutine needs.
type scanner struct {
	*scan
	total int64
	raw   []byte
	rows  rows
}

func (w *scanner) segment(ctx context.Context, g segment) error {
	data, err := os.ReadFile(g.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a newer one has displaced it
	}
	if err != nil {
		return err
	}
	unreadable, err := frames(data, func(f frame) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.told(int64(headBytes + len(f.body)))
		if f.to < nanosOf(w.since) {
			return nil
		}
		if err := w.frame(f); err != nil {
			w.unreadable.Add(int64(headBytes + len(f.body)))
		}
		return nil
	})
	w.unreadable.Add(unreadable)
	return err
}

// nanosOf is that of the least time for the zero time.
func nanosOf(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 63
	}
	return t.UnixNano()
}

func (w *scanner) told(n int64) {
	read := w.read.Add(n)
	if w.progress != nil {
		w.progress(Progress{read, w.total})
	}
}

// frame looks at the records of a block. An error says that it is damaged.
func (w *scanner) frame(f frame) error {
	if n, err := s2.DecodedLen(f.body); err != nil || n != f.raw {
		return errBlock
	}
	var err error
	if w.raw, err = s2.Decode(w.raw[:cap(w.raw)], f.body); err != nil {
		return err
	}
	if err := w.rows.begin(w.raw, f.rows); err != nil {
		return err
	}
	for {
		more, err := w.rows.next()
		if err != nil || !more {
			return err
		}
		w.records.Add(1)
		if w.pick(&w.rows) {
			e := w.rows.entry()
			w.mu.Lock()
			w.take(e)
			w.mu.Unlock()
		}
	}
}
