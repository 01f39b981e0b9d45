package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// The members of a reading that have a column.
const (
	memberSite = iota
	memberLine
	memberDevice
	memberTag
	memberQuality
	memberTime
	memberSeq
	texts   = memberQuality + 1
	members = memberSeq + 1
)

var memberNames = [members]string{"site", "line", "device", "tag", "quality", "ts", "seq"}

// rowReader makes readings of the rows of Parquet files. It is used again.
type rowReader struct {
	sink    bool
	leaves  [members]*column // nil: there is none
	values  []*column
	extra   *column
	fixed   [texts]string // of partitions
	times   times
	seq     func(parquet.Value) (int64, bool)
	texts   [texts]func(parquet.Value) string
	valueOf []func(parquet.Value) (reading.Value, error)

	names    interned
	rest     extraReader
	required [members]bool
}

// use prepares for the files of a schema. Columns that are in the partition have
// their value from there. In a Delta table a file may lack a column that was added
// to the table later.
func (r *rowReader) use(schema *parquet.Schema, c tableColumns, partition map[string]string, mayLack bool) error {
	r.sink, r.values, r.valueOf, r.extra = c.sink, nil, nil, nil
	r.required = [members]bool{memberDevice: true, memberTag: true, memberTime: true, memberSeq: c.seq != "", memberQuality: c.sink}
	for m, name := range [members]string{c.site, c.line, c.device, c.tag, c.quality, c.time, c.seq} {
		r.leaves[m] = nil
		if m < texts {
			r.fixed[m], r.texts[m] = "", nil
		}
		if name == "" {
			continue
		}
		if v, ok := partition[name]; ok {
			if m >= texts {
				return fmt.Errorf("the table is partitioned by %s, which must be a column of its files", name)
			}
			r.fixed[m] = v
			continue
		}
		leaf, ok := lookUp(schema, name)
		if !ok && (!mayLack || r.required[m]) {
			return lacks(name, c.sink)
		}
		if !ok {
			continue
		}
		var err error
		switch m {
		case memberTime:
			r.times, err = timesOf(leaf, c.unit)
		case memberSeq:
			r.seq, err = integerOf(leaf)
		default:
			r.texts[m], err = textOf(leaf)
		}
		if err != nil {
			return err
		}
		r.leaves[m] = newColumn(leaf)
	}
	for _, name := range c.values {
		leaf, ok := lookUp(schema, name)
		if !ok && !mayLack {
			return lacks(name, c.sink)
		}
		if !ok {
			continue
		}
		f, err := valueOf(leaf, c.sink)
		if err != nil {
			return err
		}
		r.values, r.valueOf = append(r.values, newColumn(leaf)), append(r.valueOf, f)
	}
	if len(r.values) == 0 {
		return lacks(strings.Join(c.values, ", "), c.sink)
	}
	if c.sink {
		leaf, ok := lookUp(schema, extraColumn)
		if !ok || leaf.Node.Type().Kind() != parquet.ByteArray || len(schema.Columns()) != columns {
			return lacks(extraColumn, true)
		}
		r.extra = newColumn(leaf)
	}
	return nil
}

func lacks(name string, sink bool) error {
	if sink {
		return fmt.Errorf("it has not the columns that the blob sink writes, such as %s: if another program has written it, write layout: parquet", name)
	}
	return fmt.Errorf("it has no column %s: see columns", name)
}

// lookUp finds a column, whose name may have dots between those of groups.
func lookUp(schema *parquet.Schema, name string) (parquet.LeafColumn, bool) {
	if leaf, ok := schema.Lookup(name); ok {
		return leaf, true
	}
	return schema.Lookup(strings.Split(name, ".")...)
}

// all calls f for each column that is read.
func (r *rowReader) all(f func(*column) error) error {
	for _, c := range r.leaves {
		if c != nil {
			if err := f(c); err != nil {
				return err
			}
		}
	}
	for _, c := range r.values {
		if err := f(c); err != nil {
			return err
		}
	}
	if r.extra != nil {
		return f(r.extra)
	}
	return nil
}

// mayHold reports whether a row group may have readings that are selected, by the
// statistics of its times.
func (r *rowReader) mayHold(g *format.RowGroup, sel *selection) bool {
	c := r.leaves[memberTime]
	if r.times.unit == 0 || c.leaf.ColumnIndex >= len(g.Columns) {
		return true
	}
	s := g.Columns[c.leaf.ColumnIndex].MetaData.Statistics
	if s.NullCount > 0 || len(s.MinValue) != 8 || len(s.MaxValue) != 8 {
		return true
	}
	first, ok := scaled(int64(binary.LittleEndian.Uint64(s.MinValue)), r.times.unit)
	last, too := scaled(int64(binary.LittleEndian.Uint64(s.MaxValue)), r.times.unit)
	if !ok || !too || last > math.MaxInt64-r.times.unit {
		return true
	}
	// The sink's column has microseconds, of a time that extra holds exactly.
	return sel.meets(first, last+r.times.unit-1)
}

// extent returns where the columns that are read lie in the file, and how many
// bytes they are after decompression.
func (r *rowReader) extent(g *format.RowGroup) (from, to, unpacked int64) {
	from = math.MaxInt64
	_ = r.all(func(c *column) error { // which returns no error
		m := &g.Columns[c.leaf.ColumnIndex].MetaData
		begin := m.DataPageOffset
		if m.DictionaryPageOffset > 0 {
			begin = min(begin, m.DictionaryPageOffset)
		}
		from, to = min(from, begin), max(to, begin+m.TotalCompressedSize)
		unpacked += max(m.TotalUncompressedSize, 0)
		return nil
	})
	return from, to, unpacked
}

func (r *rowReader) begin(g parquet.RowGroup) error {
	chunks := g.ColumnChunks()
	return r.all(func(c *column) error {
		c.begin(chunks[c.leaf.ColumnIndex])
		return nil
	})
}

// fill reads the next n rows.
func (r *rowReader) fill(n int) error {
	return r.all(func(c *column) error { return c.fill(n) })
}

func (r *rowReader) end() {
	_ = r.all(func(c *column) error { c.end(); return nil }) // which returns no error
}

// reading returns that of a row that was filled.
func (r *rowReader) reading(i int) (reading.Reading, error) {
	if r.extra != nil && !r.extra.buf[i].IsNull() {
		return r.rest.reading(r, i)
	}
	var out reading.Reading
	for m, dst := range [texts]*string{&out.Site, &out.Line, &out.Device, &out.Tag, &out.Quality} {
		c := r.leaves[m]
		switch {
		case c == nil:
			*dst = r.fixed[m]
		case !c.buf[i].IsNull():
			*dst = r.names.text(c, r.texts[m], c.buf[i])
		case r.required[m]:
			return out, fmt.Errorf("%s is missing", memberNames[m])
		}
	}
	at := r.leaves[memberTime].buf[i]
	if at.IsNull() {
		return out, errors.New("ts is missing")
	}
	var ok bool
	if out.Time, ok = r.times.of(at); !ok {
		return out, fmt.Errorf("ts is %s, which is no time in the years 1678 to 2261", at)
	}
	if c := r.leaves[memberSeq]; c != nil {
		if c.buf[i].IsNull() {
			return out, errors.New("seq is missing")
		}
		n, ok := r.seq(c.buf[i])
		if !ok && n >= 0 || ok && n < 0 {
			return out, fmt.Errorf("seq is %d, which does not fit", n)
		}
		out.Seq = uint64(n)
	}
	var err error
	if out.Value, err = r.value(i); err != nil {
		return out, err
	}
	return out, out.Validate()
}

// value returns the value of a row: that of the column that has one.
func (r *rowReader) value(i int) (v reading.Value, err error) {
	found := false
	for k, c := range r.values {
		if c.buf[i].IsNull() {
			continue
		}
		if found {
			return v, errors.New("value is there twice, in several columns")
		}
		found = true
		if v, err = r.valueOf[k](c.buf[i]); err != nil {
			return v, err
		}
	}
	return v, nil
}

// column reads the values of a column, row by row.
type column struct {
	leaf parquet.LeafColumn
	buf  [pageRecords]parquet.Value
	last string // of the last value

	pages  parquet.Pages
	values parquet.ValueReader // nil: of no page
	read   []parquet.Page      // whose values buf may have
}

func newColumn(leaf parquet.LeafColumn) *column { return &column{leaf: leaf} }

func (c *column) begin(chunk parquet.ColumnChunk) { c.pages, c.values = chunk.Pages(), nil }

// fill reads the next n values. Those of before are no more.
func (c *column) fill(n int) error {
	if k := len(c.read); k > 0 {
		keep := c.read[k-1:] // values of it may be left
		if c.values == nil {
			keep = nil
		}
		for _, p := range c.read[:k-len(keep)] {
			parquet.Release(p)
		}
		c.read = append(c.read[:0], keep...)
	}
	for got := 0; got < n; {
		if c.values == nil {
			p, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("the column %s ends before the rows do", columnName(c.leaf))
			}
			if err != nil {
				return fmt.Errorf("column %s: %w", columnName(c.leaf), err)
			}
			c.read, c.values = append(c.read, p), p.Values()
		}
		k, err := c.values.ReadValues(c.buf[got:n])
		got += k
		switch {
		case errors.Is(err, io.EOF):
			c.values = nil
		case err != nil:
			return fmt.Errorf("column %s: %w", columnName(c.leaf), err)
		case k == 0:
			return fmt.Errorf("column %s: %w", columnName(c.leaf), io.ErrNoProgress)
		}
	}
	return nil
}

func (c *column) end() {
	for _, p := range c.read {
		parquet.Release(p)
	}
	c.read, c.values = nil, nil
	if c.pages != nil {
		c.pages.Close()
	}
}

// mostNames bounds the texts that are kept.
const mostNames = 1 << 16

// interned keeps texts, so that they are not allocated for each row.
type interned map[string]string

// text returns that of a value of a column.
func (n *interned) text(c *column, of func(parquet.Value) string, v parquet.Value) string {
	if v.Kind() != parquet.ByteArray {
		return of(v)
	}
	b := v.ByteArray()
	if string(b) == c.last {
		return c.last
	}
	s, ok := (*n)[string(b)]
	if !ok {
		if *n == nil || len(*n) >= mostNames {
			*n = interned{}
		}
		s = of(v)
		if len(s) <= reading.MaxName {
			(*n)[s] = s
		}
	}
	c.last = s
	return s
}
