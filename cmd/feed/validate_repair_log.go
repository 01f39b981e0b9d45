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
	lock  io.Closer // nil when the log is no file

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
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--repair-log: %w", err)
	}
	l := &repairLog{path: path, route: route, file: f, buffer: bufio.NewWriter(f)}
	if err := l.begin(); err != nil {
		return nil, fmt.Errorf("--repair-log: %w", errors.Join(err, l.close()))
	}
	return l, nil
}

// begin locks a log that is a file, and ends its last line.
func (l *repairLog) begin() error {
	info, err := l.file.Stat()
	if err != nil || !info.Mode().IsRegular() { // such as /dev/null
		return err
	}
	l.lock, err = filelock.Take(filepath.Join(filepath.Dir(l.path), "."+filepath.Base(l.path)+".lock"))
	if errors.Is(err, filelock.ErrTaken) {
		return fmt.Errorf("another repair writes %s, and would send the same: wait for its end: %w", l.path, err)
	}
	if err != nil {
		return err
	}
	return endLine(l.file, info.Size())
}

// endLine ends the line that a repair which was killed has left unfinished: the next one
// would be a part of it.
func endLine(f *os.File, size int64) error {
	last := []byte{'\n'}
	if size > 0 {
		if _, err := f.ReadAt(last, size-1); err != nil {
			return err
		}
	}
	if last[0] == '\n' {
		return nil
	}
	_, err := f.WriteString("\n")
	return err
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
	err := errors.Join(l.buffer.Flush(), l.file.Close())
	if l.lock != nil {
		err = errors.Join(err, l.lock.Close())
	}
	if err != nil {
		return fmt.Errorf("--repair-log: %w", err)
	}
	return nil
}
