package blob

import (
	"context"
	"errors"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// table reads a Parquet file: of it the row groups that may hold what is selected.
func (w *worker) table(ctx context.Context, t target) error {
	parts := &sections{size: t.Bytes}
	f, closeTable, err := w.openTable(ctx, &t, parts)
	if err != nil {
		return err
	}
	defer closeTable()
	if err := w.rows.use(f.Schema(), w.o.columns, t.partition, t.delta); err != nil {
		return damage{err}
	}
	groups := f.RowGroups()
	if t.rows >= 0 && f.NumRows() != t.rows {
		return damaged("it has %d rows, and the log of the table says %d", f.NumRows(), t.rows)
	}
	wanted := make([]bool, len(groups))
	wantsAny := false
	for i := range groups {
		wanted[i] = w.rows.mayHold(&f.Metadata().RowGroups[i], &w.sel)
		wantsAny = wantsAny || wanted[i]
	}
	if !wantsAny {
		return nil
	}
	if t.Bytes > min(wholeBytes, w.o.memory.rows.most) {
		return w.inParts(ctx, &t, parts, f, wanted)
	}
	release, err := w.load(ctx, &t, parts, 0, t.Bytes)
	if err != nil {
		return err
	}
	defer release()
	if err := checkFile(&t, parts.last()); err != nil {
		return err
	}
	return eachGroup(f, wanted, w.rowGroup)
}

// eachGroup calls read for the row groups that are wanted; before is how many rows
// come before.
func eachGroup(f *parquet.File, wanted []bool, read func(g parquet.RowGroup, meta *format.RowGroup, before int64) error) error {
	before := int64(0)
	for i, g := range f.RowGroups() {
		if wanted[i] {
			if err := read(g, &f.Metadata().RowGroups[i], before); err != nil {
				return err
			}
		}
		before += g.NumRows()
	}
	return nil
}

// inParts reads a file by its row groups, and what lies between them as far as its
// hash needs it.
func (w *worker) inParts(ctx context.Context, t *target, parts *sections, f *parquet.File, wanted []bool) error {
	all := w.stored(ctx, t)
	err := eachGroup(f, wanted, func(g parquet.RowGroup, meta *format.RowGroup, before int64) error {
		from, to, _ := w.rows.extent(meta)
		release, err := w.load(ctx, t, parts, from, to)
		if err != nil {
			return err
		}
		defer release()
		if t.SHA256 != "" {
			if err := all.include(from, parts.last()); err != nil {
				return err
			}
		}
		return w.rowGroup(g, meta, before)
	})
	var bad damage
	if t.SHA256 != "" && (err == nil || errors.As(err, &bad)) {
		if wrong := all.verify(); wrong != nil {
			return wrong // which says more than what did not come out of it
		}
	}
	return err
}

// rowGroup hands out the rows of a row group, whose bytes were read; before is how
// many rows come before.
func (w *worker) rowGroup(g parquet.RowGroup, meta *format.RowGroup, before int64) error {
	_, _, unpacked := w.rows.extent(meta)
	if unpacked > int64(w.o.cfg.MaxObjectBytes) {
		return damaged("a row group has %d bytes after decompression, which is more than maxObjectBytes (%s)", unpacked, w.o.cfg.MaxObjectBytes)
	}
	if err := guard(func() error { return w.rows.begin(g) }); err != nil {
		return err
	}
	defer w.rows.end()
	for left := g.NumRows(); left > 0; {
		n := int(min(left, pageRecords))
		if err := guard(func() error { return w.rows.fill(n) }); err != nil {
			return err
		}
		for i := range n {
			before++
			r, err := w.rows.reading(i)
			if err != nil {
				err = w.unreadable(before, err)
			} else {
				err = w.record(&r, before)
			}
			if err != nil {
				return err
			}
		}
		left -= int64(n)
	}
	return nil
}

// columnName is how a leaf is written in a configuration.
func columnName(leaf parquet.LeafColumn) string { return strings.Join(leaf.Path, ".") }
