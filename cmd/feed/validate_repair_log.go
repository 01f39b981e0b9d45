package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/repair"
	"github.com/kraft-edge/datafeed/internal/filelock"
)

// defaultRepairLog is where repairs are logged when nothing is kept and nobody says.
const defaultRepairLog = "repairs.ndjson"

// repairLog tells what repairs did, each reading a line of JSON. Repairs add to it, one
// at a time: two of them would send the same readings.
type repairLog struct {
	path  string
	route string
	lock  io.Closer

	mu     sync.Mutex
	file   *os.File
	buffer *bufio.Writer
}

// repairLine is what the log says of a reading.
type repairLine struct {
	At      time.Time   `json:"at"`
	Outcome repair.Fate `json:"outcome"`
	From    string      `json:"from,omitempty"` // the place that had it
	Route   string      `json:"route"`
	Device  string      `json:"device"`
	Tag     string      `json:"tag"`
	Time    time.Time   `json:"time"`
	Seq     uint64      `json:"seq"`
}

// openRepairLog opens the log at path, which by default is beside the state.
func openRepairLog(path, state, route string) (*repairLog, error) {
	switch {
	case path != "":
	case state != "":
		path = state + "." + defaultRepairLog
	default:
		path = defaultRepairLog
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--repair-log: %w", err)
	}
	lock, err := filelock.Take(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock"))
	if errors.Is(err, filelock.ErrTaken) {
		err = fmt.Errorf("another repair writes %s, and would send the same: wait for its end: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("--repair-log: %w", errors.Join(err, f.Close()))
	}
	return &repairLog{path: path, route: route, lock: lock, file: f, buffer: bufio.NewWriter(f)}, nil
}

// add logs what became of readings. What a route has settled is in the file when it
// returns.
func (l *repairLog) add(place string, ks []validate.Known, f repair.Fate) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UTC()
	for _, k := range ks {
		b, err := json.Marshal(repairLine{
			At: now, Outcome: f, From: place, Route: l.route, Device: k.Device, Tag: k.Tag, Time: time.Unix(0, k.Time).UTC(), Seq: k.Seq,
		})
		if err == nil {
			_, err = l.buffer.Write(append(b, '\n'))
		}
		if err != nil {
			return fmt.Errorf("--repair-log: %w", err)
		}
	}
	if f == repair.Nowhere { // many, one by one
		return nil
	}
	return l.flushLocked()
}

func (l *repairLog) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flushLocked()
}

func (l *repairLog) flushLocked() error {
	if err := l.buffer.Flush(); err != nil {
		return fmt.Errorf("--repair-log: %w", err)
	}
	return nil
}

func (l *repairLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(l.buffer.Flush(), l.file.Close(), l.lock.Close()); err != nil {
		return fmt.Errorf("--repair-log: %w", err)
	}
	return nil
}
