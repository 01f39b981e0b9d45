package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

const (
	// tailBytes is what is read first of a Parquet file: it says where all else is.
	tailBytes = 64 << 10
	// wholeBytes is up to which size a file is read at once, so that the hash that
	// is stored with it can be checked before anything of it is handed out. Of a larger
	// one it is checked at the end.
	wholeBytes = 32 << 20
	parquetEnd = 8 // the length of the metadata, and the magic
)

var parquetMagic = []byte("PAR1")

// openTable reads the metadata of a file, within the bound for all. release gives it
// up.
func (w *worker) openTable(ctx context.Context, t *target, parts *sections) (f *parquet.File, release func(), err error) {
	n := min(tailBytes, t.Bytes)
	if n < parquetEnd+int64(len(parquetMagic)) {
		return nil, nil, damaged("it is too short for a Parquet file")
	}
	if w.tail == nil {
		w.tail = make([]byte, tailBytes)
	}
	tail := w.tail[:n]
	if err := w.readAt(ctx, t, tail, t.Bytes-n); err != nil {
		return nil, nil, err
	}
	if !bytes.HasSuffix(tail, parquetMagic) {
		return nil, nil, damaged("it does not end as a Parquet file does")
	}
	length := int64(binary.LittleEndian.Uint32(tail[n-parquetEnd:])) + parquetEnd
	if length > t.Bytes {
		return nil, nil, damaged("its metadata has %d bytes, and the file %d", length, t.Bytes)
	}
	if need := length * metadataFactor; need > w.o.memory.metadata.most {
		return nil, nil, damaged("its metadata has %d bytes and takes %d, which is more than a quarter of memory (%s): raise memory", length, need, w.o.cfg.Memory)
	}
	if release, err = w.o.memory.metadata.hold(ctx, length*metadataFactor); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	if length > n {
		tail = make([]byte, length)
		if err := w.readAt(ctx, t, tail, t.Bytes-length); err != nil {
			return nil, nil, err
		}
	}
	parts.add(t.Bytes-int64(len(tail)), tail)
	err = guard(func() (err error) {
		f, err = parquet.OpenFile(parts, t.Bytes, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.SkipMagicBytes(true))
		return err
	})
	return f, release, err
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
	if n > w.o.memory.rows.most {
		return nil, damaged("a row group has %d bytes, which is more than three quarters of memory (%s): raise memory", n, w.o.cfg.Memory)
	}
	free, err := w.o.memory.rows.hold(ctx, n)
	if err != nil {
		return nil, err
	}
	data := make([]byte, n)
	if err := w.readAt(ctx, t, data, from); err != nil {
		free()
		return nil, err
	}
	parts.add(from, data)
	return func() { parts.drop(); free() }, nil
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
