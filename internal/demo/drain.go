package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// idleFor is how long nothing must have moved, with nothing in flight, before
// what is missing counts as lost.
const idleFor = 4 * time.Second

// drain waits until all has arrived, or until nothing moves any more.
func (s *stage) drain(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(s.options.drainWithin)
	defer timeout.Stop()
	last, since := uint64(0), time.Now()
	for !s.arrived() {
		moved, idle := movement(s.feed.Status())
		if moved += s.received.Distinct(); moved != last || !idle {
			last, since = moved, time.Now()
		}
		if time.Since(since) >= idleFor {
			return nil // the witnesses say what is missing
		}
		select {
		case <-tick.C:
		case <-s.feedDone:
			return nil // a generator has ended, or stopFeed tells why not
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("not all had arrived after %v: %s", s.options.drainWithin, reasons(s.feed.Status()))
		}
	}
	return nil
}

// arrived reports whether as much has arrived as was published.
func (s *stage) arrived() bool {
	s.mu.Lock()
	lines := s.lines
	s.mu.Unlock()
	want := s.published.Distinct()
	return s.place != nil && s.received.Distinct() >= want && lines >= want
}

// movement returns a figure that changes when messages move, and whether the
// routes run and have nothing in flight.
func movement(status feed.Status) (n uint64, idle bool) {
	idle = true
	for _, r := range status.Routes {
		n += r.Deliveries.Received + r.Deliveries.Delivered
		idle = idle && r.State == feed.StateRunning && r.Deliveries.InFlight == 0
	}
	return n, idle
}

// settleWitness waits until the subscriber has received what the broker still
// has for it, and ends it.
func (s *stage) settleWitness() error {
	idle := time.NewTimer(2 * time.Second)
	defer idle.Stop()
	for s.received.Distinct() < s.published.Distinct() {
		select {
		case <-s.received.Changed():
			idle.Reset(2 * time.Second)
			continue
		case <-idle.C:
		}
		break
	}
	return s.closeSubscriber()
}

// count puts what arrived beside what was published.
func (s *stage) count(r *Report) error {
	stored := witness.NewTally()
	objects, err := readInOrder(filepath.Join(s.dir, blobsName), stored)
	if err != nil {
		return fmt.Errorf("count the lines of the blobs: %w", err)
	}
	r.MQTT = witness.Compare(s.published, s.received)
	r.Blobs = BlobVerdict{Verdict: witness.Compare(s.published, stored), Objects: objects}
	for _, route := range s.feed.Status().Routes {
		r.account(route)
	}
	return nil
}

// readInOrder tallies the files below dir in the order in which they were
// written, so that lines out of order show. It returns how many there are.
func readInOrder(dir string, t *witness.Tally) (objects int, err error) {
	type written struct {
		path string
		at   time.Time
	}
	var files []written
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing was delivered
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, written{path, info.ModTime()})
		return nil
	})
	if err != nil {
		return 0, err
	}
	slices.SortFunc(files, func(a, b written) int { return a.at.Compare(b.at) })
	for _, f := range files {
		n, err := witness.ReadDirectory(f.path, t)
		if err != nil {
			return objects, err
		}
		objects += n
	}
	return objects, nil
}
