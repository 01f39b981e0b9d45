package blob

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// deltaLog is the directory of the log of a Delta table.
const deltaLog = "_delta_log/"

// What stands in the log. Other things do not count for a reader.
var (
	commitName     = regexp.MustCompile(`^(\d{20})\.json$`)
	checkpointName = regexp.MustCompile(`^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$`)
)

// deltaAction is a line of a commit, or a row of a checkpoint; one member is set.
type deltaAction struct {
	Protocol *deltaProtocol `json:"protocol"`
	MetaData *deltaMetaData `json:"metaData"`
	Add      *deltaFile     `json:"add"`
	Remove   *struct {
		Path string `json:"path"`
	} `json:"remove"`
}

type deltaProtocol struct {
	MinReaderVersion int      `json:"minReaderVersion"`
	ReaderFeatures   []string `json:"readerFeatures"`
}

type deltaMetaData struct {
	Format struct {
		Provider string `json:"provider"`
	} `json:"format"`
	SchemaString  string            `json:"schemaString"`
	Configuration map[string]string `json:"configuration"`
}

// deltaFile is a data file of a table.
type deltaFile struct {
	Path             string             `json:"path"`
	PartitionValues  map[string]*string `json:"partitionValues"`
	Size             int64              `json:"size"`
	ModificationTime int64              `json:"modificationTime"` // in milliseconds since 1970
	DataChange       bool               `json:"dataChange"`
	Stats            string             `json:"stats"`
	DeletionVector   *json.RawMessage   `json:"deletionVector"`
}

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

// readable refuses what would be read wrongly.
func (s *deltaSnapshot) readable() error {
	if s.Protocol == nil || s.MetaData == nil {
		return errors.New("the log of the Delta table says neither its protocol nor its schema")
	}
	refuse := func(feature string) error {
		return fmt.Errorf("the Delta table uses the reader feature %s, which is not supported: nothing of it is read, since it might be read wrongly", feature)
	}
	if v := s.Protocol.MinReaderVersion; v > 3 {
		return fmt.Errorf("the Delta table needs a reader of version %d, and this is one of version 3", v)
	}
	mapped := s.MetaData.Configuration["delta.columnMapping.mode"]
	if mapped != "" && mapped != "none" {
		return refuse("columnMapping")
	}
	for _, f := range s.Protocol.ReaderFeatures {
		switch f {
		case "timestampNtz", "vacuumProtocolCheck", "columnMapping": // which has the mode none
		default:
			return refuse(f)
		}
	}
	if p := s.MetaData.Format.Provider; p != "" && p != "parquet" {
		return fmt.Errorf("the Delta table has files of format %q, and only parquet is read", p)
	}
	for name, f := range s.Files {
		if f.DeletionVector != nil {
			return fmt.Errorf("%s: %w", name, refuse("deletionVectors"))
		}
	}
	return nil
}

// commit applies a commit.
func (d *deltaReader) commit(ctx context.Context, o Object) error {
	raw := d.w.stored(ctx, &target{Object: o})
	lines := bufio.NewReader(raw)
	for n := 1; ; n++ {
		line, err := d.w.line(lines)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return fmt.Errorf("%s:%d: %w", o.Name, n, err)
		}
		if text := strings.TrimSpace(string(line)); text != "" {
			var a deltaAction
			if err := json.Unmarshal([]byte(text), &a); err != nil {
				return fmt.Errorf("%s:%d: %w", o.Name, n, err)
			}
			if err := d.apply(&a); err != nil {
				return fmt.Errorf("%s:%d: %w", o.Name, n, err)
			}
		}
		if ended {
			return nil
		}
	}
}

func (d *deltaReader) apply(a *deltaAction) error {
	if a.Protocol != nil {
		d.s.Protocol = a.Protocol
	}
	if a.MetaData != nil {
		d.s.MetaData = a.MetaData
	}
	if a.Remove != nil {
		name, err := d.name(a.Remove.Path)
		if err != nil {
			return err
		}
		delete(d.s.Files, name)
	}
	if a.Add != nil {
		name, err := d.name(a.Add.Path)
		if err != nil {
			return err
		}
		d.s.Files[name] = a.Add
	}
	return nil
}

// name returns the name of the object that a path in the log means.
func (d *deltaReader) name(encoded string) (string, error) {
	decoded, err := url.PathUnescape(encoded)
	switch {
	case err != nil:
		return "", fmt.Errorf("the path %q cannot be decoded: %w", encoded, err)
	case strings.Contains(encoded, "://") || strings.HasPrefix(encoded, "/"):
		return "", fmt.Errorf("the path %q does not lie below the table, as in a shallow clone, which is not supported", encoded)
	case decoded == "" || path.Clean(decoded) != decoded || strings.HasPrefix(decoded, ".."):
		return "", fmt.Errorf("the path %q leads nowhere", encoded)
	}
	return d.table + decoded, nil
}

// checkpoint applies a checkpoint, or a part of one.
func (d *deltaReader) checkpoint(ctx context.Context, o Object) error {
	t := &target{Object: o}
	parts := &sections{size: o.Bytes}
	f, err := d.w.openTable(ctx, t, parts)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	release, err := d.w.load(ctx, t, parts, 0, o.Bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	defer release()
	err = guard(func() error {
		paths := f.Schema().Columns()
		names := make([]string, len(paths))
		for i, p := range paths {
			names[i] = strings.Join(p, ".")
		}
		for _, g := range f.RowGroups() {
			if err := d.rows(g, names); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	return nil
}

func (d *deltaReader) rows(g parquet.RowGroup, names []string) (err error) {
	rows := g.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	buf := make([]parquet.Row, 64)
	for {
		n, err := rows.ReadRows(buf)
		for _, row := range buf[:n] {
			a := checkpointAction(row, names)
			if err := d.apply(&a); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// checkpointAction makes an action of a row. How writers name the levels within
// maps and lists differs, so that only their ends count.
func checkpointAction(row parquet.Row, names []string) (a deltaAction) {
	add, remove, meta, protocol := &deltaFile{}, "", &deltaMetaData{}, &deltaProtocol{}
	var isAdd, isMeta, isProtocol bool
	var partition, configuration entries
	for _, v := range row {
		name := names[v.Column()]
		group, member, _ := strings.Cut(name, ".")
		member, rest, _ := strings.Cut(member, ".")
		switch group + "." + member {
		case "add.partitionValues":
			partition.take(rest, v)
			continue
		case "metaData.configuration":
			configuration.take(rest, v)
			continue
		}
		if v.IsNull() {
			continue
		}
		switch group + "." + member {
		case "add.path":
			add.Path, isAdd = v.String(), true
		case "add.size":
			add.Size = v.Int64()
		case "add.modificationTime":
			add.ModificationTime = v.Int64()
		case "add.dataChange":
			add.DataChange = v.Boolean()
		case "add.stats":
			add.Stats = v.String()
		case "add.deletionVector":
			add.DeletionVector = new(json.RawMessage)
		case "remove.path":
			remove = v.String()
		case "protocol.minReaderVersion":
			protocol.MinReaderVersion, isProtocol = int(v.Int32()), true
		case "protocol.readerFeatures":
			protocol.ReaderFeatures = append(protocol.ReaderFeatures, v.String())
		case "metaData.schemaString":
			meta.SchemaString, isMeta = v.String(), true
		case "metaData.format":
			if rest == "provider" {
				meta.Format.Provider = v.String()
			}
		}
	}
	if isAdd {
		add.PartitionValues = partition.all()
		a.Add = add
	}
	if isMeta {
		meta.Configuration = map[string]string{}
		for k, v := range configuration.all() {
			if v != nil {
				meta.Configuration[k] = *v
			}
		}
		a.MetaData = meta
	}
	if isProtocol {
		a.Protocol = protocol
	}
	if remove != "" {
		a.Remove = &struct {
			Path string `json:"path"`
		}{remove}
	}
	return a
}

// entries are those of a map in a row: first come all keys, then all values.
type entries struct {
	keys   []string
	values []*string
}

func (e *entries) take(path string, v parquet.Value) {
	switch {
	case !strings.HasSuffix(path, ".value"):
		if !v.IsNull() {
			e.keys = append(e.keys, v.String())
		}
	case v.IsNull():
		e.values = append(e.values, nil)
	default:
		text := v.String()
		e.values = append(e.values, &text)
	}
}

func (e *entries) all() map[string]*string {
	m := map[string]*string{}
	for i, k := range e.keys {
		if i < len(e.values) {
			m[k] = e.values[i]
		}
	}
	return m
}

// sortedNames returns the names of the data files, in their order.
func (s *deltaSnapshot) sortedNames() []string { return slices.Sorted(maps.Keys(s.Files)) }
