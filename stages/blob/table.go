package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

const (
	// tailBytes is what is read first of a Parquet file: it says where all else is.
	tailBytes = 64 << 10
	// wholeBytes is up to which size a file is read at once, so that the hash that
	// is stored with it can be checked before anything of it is handed out.
	wholeBytes = 32 << 20
	parquetEnd = 8 // the length of the metadata, and the magic
)

var parquetMagic = []byte("PAR1")

// table reads a Parquet file: of it the row groups that may hold what is selected.
func (w *worker) table(ctx context.Context, t target) error {
	parts := &sections{size: t.Bytes}
	f, err := w.openTable(ctx, &t, parts)
	if err != nil {
		return err
	}
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
	whole := t.Bytes <= min(wholeBytes, int64(w.o.cfg.Memory))
	if whole {
		release, err := w.load(ctx, &t, parts, 0, t.Bytes)
		if err != nil {
			return err
		}
		defer release()
		if err := checkFile(&t, parts.last()); err != nil {
			return err
		}
	}
	position := int64(0)
	for i, g := range groups {
		if wanted[i] {
			if err := w.rowGroup(ctx, &t, parts, whole, g, &f.Metadata().RowGroups[i], position); err != nil {
				return err
			}
		}
		position += g.NumRows()
	}
	return nil
}

// checkFile checks what can be checked of a file that was read as a whole.
func checkFile(t *target, file []byte) error {
	if !bytes.HasPrefix(file, parquetMagic) {
		return damaged("it does not begin as a Parquet file does")
	}
	if t.SHA256 == "" {
		return nil
	}
	sum := sha256.Sum256(file)
	return checkHash(t.SHA256, sum[:])
}

// openTable reads the metadata of a file.
func (w *worker) openTable(ctx context.Context, t *target, parts *sections) (f *parquet.File, err error) {
	n := min(tailBytes, t.Bytes)
	if n < parquetEnd+int64(len(parquetMagic)) {
		return nil, damaged("it is too short for a Parquet file")
	}
	tail := make([]byte, n)
	if err := w.readAt(ctx, t, tail, t.Bytes-n); err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(tail, parquetMagic) {
		return nil, damaged("it does not end as a Parquet file does")
	}
	length := int64(binary.LittleEndian.Uint32(tail[n-parquetEnd:])) + parquetEnd
	if length > t.Bytes || length > int64(w.o.cfg.Memory) {
		return nil, damaged("its metadata has %d bytes, and the file %d (memory is %s)", length, t.Bytes, w.o.cfg.Memory)
	}
	if length > n {
		tail = make([]byte, length)
		if err := w.readAt(ctx, t, tail, t.Bytes-length); err != nil {
			return nil, err
		}
	}
	parts.add(t.Bytes-int64(len(tail)), tail)
	err = guard(func() (err error) {
		f, err = parquet.OpenFile(parts, t.Bytes, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.SkipMagicBytes(true))
		return err
	})
	return f, err
}

// guard makes damage of what goes wrong within a file. The Parquet library panics
// where a file contradicts itself.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damaged("the Parquet file contradicts itself: %v", p)
		}
	}()
	if err := f(); err != nil {
		return damaged("the Parquet file is damaged: %w", err)
	}
	return nil
}

// load reads a part of the file into memory, within the bound for all. release
// gives it up.
func (w *worker) load(ctx context.Context, t *target, parts *sections, from, to int64) (release func(), err error) {
	n := to - from
	if n < 0 || from < 0 || to > t.Bytes {
		return nil, damaged("the Parquet file is damaged: a row group lies from byte %d to %d, and the file has %d", from, to, t.Bytes)
	}
	if n > int64(w.o.cfg.Memory) {
		return nil, damaged("a row group has %d bytes, which is more than memory (%s): raise memory", n, w.o.cfg.Memory)
	}
	if err := w.o.memory.Acquire(ctx, n); err != nil {
		return nil, err
	}
	data := make([]byte, n)
	if err := w.readAt(ctx, t, data, from); err != nil {
		w.o.memory.Release(n)
		return nil, err
	}
	parts.add(from, data)
	return func() { parts.drop(); w.o.memory.Release(n) }, nil
}

// rowGroup hands out the rows of a row group; before is how many rows come before.
func (w *worker) rowGroup(ctx context.Context, t *target, parts *sections, whole bool, g parquet.RowGroup, meta *format.RowGroup, before int64) error {
	from, to, unpacked := w.rows.extent(meta)
	if unpacked > int64(w.o.cfg.MaxObjectBytes) {
		return damaged("a row group has %d bytes after decompression, which is more than maxObjectBytes (%s)", unpacked, w.o.cfg.MaxObjectBytes)
	}
	if !whole {
		release, err := w.load(ctx, t, parts, from, to)
		if err != nil {
			return err
		}
		defer release()
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

// sections are parts of a file that were read. They fail where another part is
// asked for.
type sections struct {
	size  int64
	parts []section
}

type section struct {
	from int64
	data []byte
}

func (s *sections) add(from int64, data []byte) { s.parts = append(s.parts, section{from, data}) }
func (s *sections) drop()                       { s.parts = s.parts[:len(s.parts)-1] }
func (s *sections) last() []byte                { return s.parts[len(s.parts)-1].data }

func (s *sections) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	for i := len(s.parts) - 1; i >= 0; i-- {
		if part := s.parts[i]; off >= part.from && off < part.from+int64(len(part.data)) {
			n := copy(p, part.data[off-part.from:])
			if n < len(p) {
				return n, io.EOF
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("what its metadata says leads to byte %d, where no column is", off)
}

var _ io.ReaderAt = (*sections)(nil)

// columnName is how a leaf is written in a configuration.
func columnName(leaf parquet.LeafColumn) string { return strings.Join(leaf.Path, ".") }
