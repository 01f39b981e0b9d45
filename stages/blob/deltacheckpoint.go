package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// checkpoint applies a checkpoint, or a part of one.
func (d *deltaReader) checkpoint(ctx context.Context, o Object) error {
	t := &target{Object: o}
	parts := &sections{size: o.Bytes}
	f, closeTable, err := d.w.openTable(ctx, t, parts)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	defer closeTable()
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
