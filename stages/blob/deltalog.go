package blob

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// deltaLog is the directory of the log of a Delta table.
const deltaLog = "_delta_log/"

// What stands in the log. Other things do not count for a reader.
var (
	commitName     = regexp.MustCompile(`^(\d{20})\.json$`)
	checkpointName = regexp.MustCompile(`^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$`)
)

// deltaSnapshot is a version of a table.
type deltaSnapshot struct {
	Version  int64
	Protocol *deltaProtocol
	MetaData *deltaMetaData
	Files    map[string]*deltaFile // by the name of the object
}

// deltaReader reads the log of a table.
type deltaReader struct {
	w     *worker // with its buffers
	table string  // what the names of its objects begin with
	s     deltaSnapshot
}

// deltaObjects are the files of a log.
type deltaObjects struct {
	commits     map[int64]Object
	checkpoints map[int64]map[int]Object // parts, from 1
	parts       map[int64]int            // how many there should be
}

// snapshot reads the newest version of a table.
func (d *deltaReader) snapshot(ctx context.Context) (*deltaSnapshot, error) {
	log, err := d.list(ctx)
	if err != nil {
		return nil, err
	}
	newest, from := int64(-1), int64(-1)
	for v := range maps.Keys(log.commits) {
		newest = max(newest, v)
	}
	for v, parts := range log.checkpoints {
		if len(parts) == log.parts[v] {
			from = max(from, v)
		}
	}
	if newest = max(newest, from); newest < 0 {
		return nil, fmt.Errorf("there is no Delta table: %s has no commit", d.table+deltaLog)
	}
	d.s = deltaSnapshot{Version: newest, Files: map[string]*deltaFile{}}
	if from >= 0 {
		for part := 1; part <= log.parts[from]; part++ {
			if err := d.checkpoint(ctx, log.checkpoints[from][part]); err != nil {
				return nil, err
			}
		}
	}
	for v := from + 1; v <= newest; v++ {
		o, ok := log.commits[v]
		if !ok {
			return nil, fmt.Errorf("the log of the Delta table has no commit %d, and no complete checkpoint after it that can be read (up to version %d)", v, newest)
		}
		if err := d.commit(ctx, o); err != nil {
			return nil, err
		}
	}
	return &d.s, d.s.readable()
}

func (d *deltaReader) list(ctx context.Context) (deltaObjects, error) {
	log := deltaObjects{commits: map[int64]Object{}, checkpoints: map[int64]map[int]Object{}, parts: map[int64]int{}}
	dir := d.table + deltaLog
	for o, err := range d.w.o.list(ctx, dir) {
		if err != nil {
			return log, err
		}
		if o.irregular {
			return log, fmt.Errorf("%s: %w", o.Name, errIrregular)
		}
		name := o.Name[len(dir):]
		if m := commitName.FindStringSubmatch(name); m != nil {
			log.commits[number(m[1])] = o
		}
		m := checkpointName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		v, part, of := number(m[1]), 1, 1
		if m[2] != "" {
			part, of = int(number(m[2])), int(number(m[3]))
		}
		// One in several parts may stand beside one of a single part.
		if known, ok := log.parts[v]; !ok || known != of {
			if ok && of > known {
				continue
			}
			log.parts[v], log.checkpoints[v] = of, map[int]Object{}
		}
		log.checkpoints[v][part] = o
	}
	return log, nil
}

// number is of digits; one that is too large is the largest.
func number(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64) //nolint:errcheck // which then returns the largest
	return n
}

// sortedNames returns the names of the data files, in their order.
func (s *deltaSnapshot) sortedNames() []string { return slices.Sorted(maps.Keys(s.Files)) }
