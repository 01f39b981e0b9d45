package blob

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// mostSnapshots is how often the log of a table is read when files of it go away
// meanwhile, as they do when it is cleaned.
const mostSnapshots = 3

// findDelta sends the data files of the current version of a Delta table that may
// hold what is selected.
func (o *Observation) findDelta(ctx context.Context, sel selection, send func(target) error) error {
	w := newWorker(o, sel, nil)
	defer w.release()
	var s *deltaSnapshot
	var err error
	for range mostSnapshots {
		d := &deltaReader{w: w, table: o.directory()}
		if s, err = d.snapshot(ctx); err == nil || !failed(err, failNotFound) && !failed(err, failChanged) {
			break
		}
	}
	if err != nil {
		return err
	}
	schema := deltaTypes(s.MetaData.SchemaString)
	for _, name := range s.sortedNames() {
		f := s.Files[name]
		t := target{Object: Object{Name: name, Bytes: f.Size}, delta: true, partition: map[string]string{}, rows: -1}
		for k, v := range f.PartitionValues {
			if t.partition[k] = ""; v != nil {
				t.partition[k] = *v
			}
		}
		if f.DataChange { // or else the file holds what had arrived before
			t.arrived = f.ModificationTime * int64(time.Millisecond)
		}
		if !o.partitionMayHold(&t, &sel) {
			continue
		}
		var stats deltaStats
		if f.Stats != "" {
			if err := json.Unmarshal([]byte(f.Stats), &stats); err != nil {
				return fmt.Errorf("the statistics of %s: %w", name, err)
			}
		}
		if stats.NumRecords != nil {
			t.rows = *stats.NumRecords
		}
		if first, last, ok := stats.times(o.columns.time, schema[o.columns.time], o.columns.unit); ok && !sel.meets(first, last) {
			continue
		}
		if err := send(t); err != nil {
			return err
		}
	}
	return nil
}

// partitionMayHold reports whether a file may hold the device and the tag that
// are selected.
func (o *Observation) partitionMayHold(t *target, sel *selection) bool {
	for _, c := range []struct{ column, wanted string }{{o.columns.device, sel.device}, {o.columns.tag, sel.tag}} {
		if v, ok := t.partition[c.column]; ok && c.wanted != "" && v != c.wanted {
			return false
		}
	}
	return true
}

// deltaStats are the statistics of a data file.
type deltaStats struct {
	NumRecords *int64                     `json:"numRecords"`
	MinValues  map[string]json.RawMessage `json:"minValues"`
	MaxValues  map[string]json.RawMessage `json:"maxValues"`
	NullCount  map[string]json.RawMessage `json:"nullCount"`
}

// times returns between which times the rows of a file lie, as far as its
// statistics tell.
func (s *deltaStats) times(column, typ string, unit TimeUnit) (first, last int64, ok bool) {
	if nulls, known := s.NullCount[column]; !known || string(nulls) != "0" {
		return 0, 0, false
	}
	switch typ {
	case "timestamp", "timestamp_ntz":
		var from, to time.Time
		if json.Unmarshal(s.MinValues[column], &from) != nil || json.Unmarshal(s.MaxValues[column], &to) != nil || from.Before(earliest.Add(time.Second)) || to.After(latest.Add(-time.Second)) {
			return 0, 0, false // they prove nothing, and the file is read
		}
		// They may be cut to milliseconds.
		return from.UnixNano() - int64(time.Millisecond), to.UnixNano() + int64(time.Millisecond), true
	case "long", "integer":
		if unit == "" {
			return 0, 0, false
		}
		var from, to int64
		if json.Unmarshal(s.MinValues[column], &from) != nil || json.Unmarshal(s.MaxValues[column], &to) != nil {
			return 0, 0, false
		}
		first, ok = scaled(from, unit.nanos())
		last, tooOK := scaled(to, unit.nanos())
		return first, last, ok && tooOK && last < math.MaxInt64
	}
	return 0, 0, false
}

// deltaTypes returns the types of the columns that are of a simple one.
func deltaTypes(schema string) map[string]string {
	var s struct {
		Fields []struct {
			Name string          `json:"name"`
			Type json.RawMessage `json:"type"`
		} `json:"fields"`
	}
	types := map[string]string{}
	if json.Unmarshal([]byte(schema), &s) != nil {
		return types // without types no statistics are used
	}
	for _, f := range s.Fields {
		var name string
		if json.Unmarshal(f.Type, &name) == nil {
			types[f.Name] = name
		}
	}
	return types
}
