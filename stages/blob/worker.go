package blob

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// pageRecords is how many readings are handed out at a time.
const pageRecords = 1024

// target is an object to be read.
type target struct {
	Object
	// Of a data file of a Delta table.
	partition map[string]string // columns that are not in the file
	rows      int64             // that the log says it has; -1 when it does not
	arrived   int64             // in nanoseconds since 1970; 0 when that is not known
	delta     bool
}

// damage is what keeps an object, or a part of it, from being read; reading goes
// on with the next one.
type damage struct{ error }

func damaged(format string, args ...any) error { return damage{fmt.Errorf(format, args...)} }

// worker reads objects, one at a time, and hands out what is selected. Its
// buffers are used again.
type worker struct {
	o   *Observation
	sel selection
	out *handover

	object  string // that is being read
	arrived int64
	begun   bool // a part of it was read
	page    validate.Page

	parser     reading.Parser
	chunk      []byte
	lineBuffer *bufio.Reader
	long       []byte // a line that does not fit into the buffer of lines
	raw        []byte // a payload that stood in base64
	gz         *gzip.Reader
	zst        *zstd.Decoder
	tail       []byte // of a Parquet file
	rows       rowReader
}

func newWorker(o *Observation, sel selection, out *handover) *worker {
	return &worker{o: o, sel: sel, out: out, page: validate.Page{Records: make([]validate.Record, 0, pageRecords)}}
}

func (w *worker) release() {
	if w.zst != nil {
		w.zst.Close()
	}
}

// read reads an object and hands out all of it. An error ends the whole read.
func (w *worker) read(ctx context.Context, t target) error {
	w.object, w.arrived = t.Name, arrivalOf(t)
	err := w.current(ctx, t)
	var bad damage
	if errors.As(err, &bad) {
		err = w.unreadable(0, bad.error)
	}
	if err == nil {
		err = w.flush()
	}
	return err
}

// current reads an object; one that has become another one since it was listed is
// looked up and read as it is now, unless a part of it was read already.
func (w *worker) current(ctx context.Context, t target) error {
	w.o.objects.Add(1)
	w.begun = false
	if t.delta {
		if err := w.lookUp(ctx, &t); err != nil {
			return err
		}
	}
	err := w.content(ctx, t)
	if failed(err, failChanged) && !w.begun {
		if err = w.lookUp(ctx, &t); err == nil {
			w.arrived = arrivalOf(t)
			err = w.content(ctx, t)
		}
	}
	switch {
	case failed(err, failNotFound):
		return damaged("the object is gone since it was listed")
	case failed(err, failChanged):
		return damaged("the object has changed while it was read")
	}
	return err
}

// lookUp describes an object as it is now.
func (w *worker) lookUp(ctx context.Context, t *target) error {
	size := t.Bytes
	err := w.o.try(ctx, func() (err error) {
		t.Object, err = w.o.archive.stat(ctx, t.Name)
		return err
	})
	switch {
	case failed(err, failNotFound) && t.delta:
		return damaged("the log of the table names the file, and it is not there")
	case err == nil && t.delta && t.Bytes != size:
		return damaged("it has %d bytes, and the log of the table says %d", t.Bytes, size)
	}
	return err
}

func failed(err error, f failure) bool {
	var se *storeError
	return errors.As(err, &se) && se.failure == f
}

func arrivalOf(t target) int64 {
	if t.delta {
		return t.arrived
	}
	return t.Modified.UnixNano()
}

// content reads an object as its layout and its name say.
func (w *worker) content(ctx context.Context, t target) error {
	parquet := strings.HasSuffix(t.Name, ".parquet")
	switch {
	case parquet || t.delta:
		return w.table(ctx, t)
	case w.o.cfg.Layout == LayoutFeed && strings.HasSuffix(t.Name, Plain.extension()),
		w.o.cfg.Layout == LayoutFeed && strings.HasSuffix(t.Name, Gzip.extension()),
		w.o.cfg.Layout == LayoutFeed && strings.HasSuffix(t.Name, Zstd.extension()):
		return w.lines(ctx, t)
	case w.o.cfg.Layout == LayoutFeed:
		return damaged("its name ends with none of .ndjson, .ndjson.gz, .ndjson.zst and .parquet")
	}
	return damaged("its name does not end with .parquet")
}

// record hands out a reading, if it is selected.
func (w *worker) record(r *reading.Reading, position int64) error {
	if !w.sel.takes(r) {
		return nil
	}
	w.page.Records = append(w.page.Records, validate.Record{
		Reading: *r, Arrived: w.arrived, Place: validate.Place{Object: w.object, Position: position},
	})
	if len(w.page.Records) < pageRecords {
		return nil
	}
	return w.flush()
}

// unreadable tells of what cannot be read.
func (w *worker) unreadable(position int64, err error) error {
	w.page.Unreadable = append(w.page.Unreadable, w.o.unreadable(w.object, validate.Place{Object: w.object, Position: position}, err))
	if len(w.page.Unreadable) < pageRecords {
		return nil
	}
	return w.flush()
}

func (w *worker) flush() error {
	if len(w.page.Records) == 0 && len(w.page.Unreadable) == 0 {
		return nil
	}
	err := w.out.page(w.page)
	w.page.Records, w.page.Unreadable = w.page.Records[:0], w.page.Unreadable[:0]
	return err
}

// readAt fills p with bytes of the object that is being read.
func (w *worker) readAt(ctx context.Context, t *target, p []byte, off int64) error {
	err := w.o.readAt(ctx, t.Object, p, off)
	w.begun = w.begun || err == nil
	return err
}
