package blob

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// parquetOf returns a file of rows, with groups of some of them.
func parquetOf[R any](t testing.TB, group int64, rows ...R) []byte {
	t.Helper()
	var b outBuffer
	w := parquet.NewGenericWriter[R](&b, parquet.MaxRowsPerRowGroup(group))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.b
}

func foreignParquet(t testing.TB) []byte {
	type foreign struct {
		Device string `parquet:"device"`
	}
	return parquetOf(t, 10, foreign{"press7"})
}

// records reads all records, in the order of their objects.
func records(t testing.TB, o *Observation, q validate.Query) (all []validate.Record) {
	t.Helper()
	if err := o.Read(t.Context(), q, func(p validate.Page) error {
		for _, u := range p.Unreadable {
			t.Errorf("%s cannot be read: %v", u.Place, u.Err)
		}
		all = append(all, p.Records...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func tables(t testing.TB, dir string, columns Columns) *Observation {
	return observe(t, dirConfig(dir), func(c *ObservationConfig) { c.Layout, c.Columns, c.Parallel = LayoutParquet, columns, 1 })
}

// TestColumnTypes reads files that DuckDB has written, with columns of each type
// that is taken: an independent writer's.
func TestColumnTypes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs DuckDB, which -short does without")
	}
	const at = "TIMESTAMP '2026-11-21 12:00:00.123456'"
	want := sample(0)
	want.Time = time.Date(2026, 11, 21, 12, 0, 0, 123456000, time.UTC).UnixNano()
	for name, c := range map[string]struct {
		ts, value string
		unit      TimeUnit
		want      reading.Value
		nanos     int64 // added to the time
	}{
		"double":       {at, "0.5::DOUBLE", "", reading.OfFloat(0.5), 0},
		"whole double": {at, "2::DOUBLE", "", reading.OfFloat(2), 0},
		"float":        {at, "0.5::FLOAT", "", reading.OfFloat(0.5), 0},
		"bigint":       {at, "9223372036854775807::BIGINT", "", reading.OfInt(math.MaxInt64), 0},
		"integer":      {at, "-7::INTEGER", "", reading.OfInt(-7), 0},
		"smallint":     {at, "-7::SMALLINT", "", reading.OfInt(-7), 0},
		"utinyint":     {at, "200::UTINYINT", "", reading.OfInt(200), 0},
		"uinteger":     {at, "4000000000::UINTEGER", "", reading.OfInt(4000000000), 0},
		"ubigint":      {at, "7::UBIGINT", "", reading.OfInt(7), 0},
		"boolean":      {at, "true", "", reading.OfBool(true), 0},
		"text":         {at, "'on µ'", "", reading.OfText("on µ"), 0},
		"null":         {at, "NULL::DOUBLE", "", reading.Value{}, 0},
		"with zone":    {at + " AT TIME ZONE 'UTC'", "true", "", reading.OfBool(true), 0},
		"ns":           {"TIMESTAMP_NS '2026-11-21 12:00:00.123456789'", "true", "", reading.OfBool(true), 789},
		"ms":           {"TIMESTAMP_MS '2026-11-21 12:00:00.123'", "true", "", reading.OfBool(true), -456000},
		"s":            {"TIMESTAMP_S '2026-11-21 12:00:00'", "true", "", reading.OfBool(true), -123456000},
		"rfc3339":      {"'2026-11-21T13:00:00.123456+01:00'", "true", "", reading.OfBool(true), 0},
		"epoch ms":     {"epoch_ms(" + at + ")", "true", Milliseconds, reading.OfBool(true), -456000},
		"epoch s":      {"epoch(" + at + ")", "true", Seconds, reading.OfBool(true), 0},
		"epoch int":    {"epoch(" + at + ")::INTEGER", "true", Seconds, reading.OfBool(true), -123456000},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			duckdb[struct{}](t, fmt.Sprintf(`COPY (SELECT 'press7' AS asset, 'temperature' AS point, %s AS at, %s AS v, 'good' AS q, 0::BIGINT AS n) TO '%s' (FORMAT parquet)`,
				c.ts, c.value, filepath.Join(dir, "a.parquet")))
			o := tables(t, dir, Columns{Device: "asset", Tag: "point", Time: "at", Value: []string{"v"}, Quality: "q", Seq: "n", TimeUnit: c.unit})
			got := records(t, o, query())
			want := want
			want.Site, want.Time, want.Value = "", want.Time+c.nanos, c.want
			if len(got) != 1 {
				t.Fatalf("%d readings", len(got))
			}
			if c.unit == Seconds { // a double has no more
				got[0].Time = (got[0].Time + 500) / 1000 * 1000
			}
			if got[0].Reading != want {
				t.Errorf("%s, want %s", got[0].AppendJSON(nil), want.AppendJSON(nil))
			}
			if lost := fmt.Sprint(o.Traits().Lost); lost != "[site line]" {
				t.Errorf("lost is %s", lost)
			}
		})
	}
}

func TestColumnsThatDoNotFit(t *testing.T) {
	type typical struct {
		Device string    `parquet:"device"`
		Tag    string    `parquet:"tag"`
		Time   time.Time `parquet:"ts,timestamp(microsecond)"`
		Value  float64   `parquet:"value"`
	}
	type number struct {
		Device string  `parquet:"device"`
		Tag    string  `parquet:"tag"`
		Time   int64   `parquet:"ts"`
		Value  float64 `parquet:"value"`
	}
	type list struct {
		Device []string  `parquet:"device,list"`
		Tag    string    `parquet:"tag"`
		Time   time.Time `parquet:"ts,timestamp"`
		Value  int64     `parquet:"value,decimal(2:18)"`
	}
	type decimal struct {
		Device string    `parquet:"device"`
		Tag    string    `parquet:"tag"`
		Time   time.Time `parquet:"ts,timestamp"`
		Value  int64     `parquet:"value,decimal(2:18)"`
	}
	all := Columns{Device: "device", Tag: "tag", Time: "ts", Value: []string{"value"}}
	named := func(change func(*Columns)) Columns { c := all; change(&c); return c }
	for name, c := range map[string]struct {
		data    []byte
		columns Columns
		want    string
	}{
		"no column": {parquetOf(t, 10, typical{}), named(func(c *Columns) { c.Tag = "point" }), "no column point"},
		"no value":  {parquetOf(t, 10, typical{}), named(func(c *Columns) { c.Value = []string{"v"} }), "no column v"},
		"no unit":   {parquetOf(t, 10, number{}), all, "columns.timeUnit"},
		"a list":    {parquetOf(t, 10, list{}), all, "no column device"},
		"decimal":   {parquetOf(t, 10, decimal{}), all, "DECIMAL"},
		"no text":   {parquetOf(t, 10, typical{}), named(func(c *Columns) { c.Device = "value" }), "cannot be read as a text"},
		"no time": {parquetOf(t, 10, struct {
			Device string `parquet:"device"`
			Tag    string `parquet:"tag"`
			Time   bool   `parquet:"ts"`
			Value  bool   `parquet:"value"`
		}{}), all, "cannot be read as a time"},
	} {
		dir := t.TempDir()
		writeFile(t, dir, "a.parquet", c.data)
		seqs, unreadable := everything(t, tables(t, dir, c.columns), query())
		if len(seqs) != 0 || !strings.Contains(unreadable["a.parquet"], c.want) {
			t.Errorf("%s: readings %v, unreadable %v, want %q", name, seqs, unreadable, c.want)
		}
	}
}

// TestRowsThatAreNoReadings tells of each row, and reads those beside it.
func TestRowsThatAreNoReadings(t *testing.T) {
	type row struct {
		Device *string          `parquet:"device,optional"`
		Tag    string           `parquet:"tag"`
		Time   *int64           `parquet:"ts,optional"`
		Number *float64         `parquet:"number,optional"`
		Truth  *bool            `parquet:"truth,optional"`
		Seq    *int64           `parquet:"seq,optional"`
		Old    deprecated.Int96 `parquet:"old"`
	}
	noon := validatetest.Noon.UnixNano()
	data := parquetOf(t, 3,
		row{pointer("d"), "t", &noon, pointer(1.5), nil, pointer(int64(1)), deprecated.Int96{}},
		row{nil, "t", &noon, pointer(1.5), nil, pointer(int64(2)), deprecated.Int96{}},
		row{pointer("d"), "t", nil, pointer(1.5), nil, pointer(int64(3)), deprecated.Int96{}},
		row{pointer("d"), "t", &noon, pointer(1.5), pointer(true), pointer(int64(4)), deprecated.Int96{}},
		row{pointer("d"), "t", &noon, nil, pointer(true), nil, deprecated.Int96{}},
		row{pointer("d"), "t", &noon, nil, pointer(true), pointer(int64(-6)), deprecated.Int96{}},
		row{pointer("d"), "", &noon, nil, nil, pointer(int64(7)), deprecated.Int96{}},
		row{pointer("d"), "t", &noon, nil, nil, pointer(int64(8)), deprecated.Int96{}},
	)
	dir := t.TempDir()
	writeFile(t, dir, "a.parquet", data)
	o := tables(t, dir, Columns{Device: "device", Tag: "tag", Time: "ts", Value: []string{"number", "truth"}, Seq: "seq", TimeUnit: Nanoseconds})
	seqs, unreadable := everything(t, o, query())
	if fmt.Sprint(seqs) != "[1 8]" || len(unreadable) != 6 {
		t.Errorf("readings %v", seqs)
	}
	for place, want := range map[string]string{
		"a.parquet:2": "device is missing", "a.parquet:3": "ts is missing", "a.parquet:4": "value is there twice", "a.parquet:5": "seq is missing",
		"a.parquet:6": "seq is -6", "a.parquet:7": "tag",
	} {
		if !strings.Contains(unreadable[place], want) {
			t.Errorf("%s is unreadable because of %q, want %q", place, unreadable[place], want)
		}
	}
}

// TestInt96 reads timestamps as older Spark writes them: nanoseconds of the day, and
// the Julian day.
func TestInt96(t *testing.T) {
	type row struct {
		Device string           `parquet:"device"`
		Tag    string           `parquet:"tag"`
		Time   deprecated.Int96 `parquet:"ts"`
		Value  float64          `parquet:"value"`
	}
	noon := uint64(12 * time.Hour)
	julian := uint32(2440588 + validatetest.Noon.Unix()/86400)
	dir := t.TempDir()
	writeFile(t, dir, "a.parquet", parquetOf(t, 10,
		row{"d", "t", deprecated.Int96{uint32(noon + 7), uint32((noon + 7) >> 32), julian}, 1},
		row{"d", "t", deprecated.Int96{0, 1 << 31, julian}, 2}))
	o := tables(t, dir, Columns{Device: "device", Tag: "tag", Time: "ts", Value: []string{"value"}})
	var at []int64
	var unreadable int
	if err := o.Read(t.Context(), query(), func(p validate.Page) error {
		for _, r := range p.Records {
			at = append(at, r.Time)
		}
		unreadable += len(p.Unreadable)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(at) != 1 || at[0] != validatetest.Noon.UnixNano()+7 || unreadable != 1 {
		t.Errorf("times %v, %d unreadable", at, unreadable)
	}
}

// TestStatistics: row groups of other times cost no more than the end of the file, and
// of a file that is too large to be read at once only those that are wanted are read.
func TestStatistics(t *testing.T) {
	type row struct {
		Device string    `parquet:"device"`
		Tag    string    `parquet:"tag"`
		Time   time.Time `parquet:"ts,timestamp(microsecond)"`
		Value  float64   `parquet:"value"`
		Seq    int64     `parquet:"seq"`
	}
	var rows []row
	for i := range 200_000 {
		rows = append(rows, row{"press7", "t", validatetest.Noon.Add(time.Duration(i) * 100 * time.Millisecond), math.Sin(float64(i)), int64(i)})
	}
	dir := t.TempDir()
	writeFile(t, dir, "a.parquet", parquetOf(t, 10_000, rows...))
	info, err := os.Stat(filepath.Join(dir, "a.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	columns := Columns{Device: "device", Tag: "tag", Time: "ts", Value: []string{"value"}, Seq: "seq"}
	for _, memory := range []feed.Size{feed.MiB, 256 * feed.MiB} {
		o := observe(t, dirConfig(dir), func(c *ObservationConfig) { c.Layout, c.Columns, c.Memory = LayoutParquet, columns, memory })
		q := validate.Query{From: validatetest.Noon.Add(-time.Hour), To: validatetest.Noon}
		if got := records(t, o, q); len(got) != 0 || o.Costs().Bytes != tailBytes {
			t.Errorf("memory %s: %d readings, costs %+v", memory, len(got), o.Costs())
		}
		before := o.Costs().Bytes
		q = validate.Query{From: validatetest.Noon.Add(1500 * time.Second), To: validatetest.Noon.Add(2500 * time.Second)} // of the groups 1 and 2
		got := records(t, o, q)
		read := o.Costs().Bytes - before - tailBytes
		switch {
		case len(got) != 10_000 || got[0].Seq != 15_000 || got[0].Place.Position != 15_001 || got[9999].Seq != 24_999:
			t.Errorf("memory %s: %d readings, the first %+v", memory, len(got), got[:min(1, len(got))])
		case memory == feed.MiB && read > info.Size()/8, memory > feed.MiB && read != info.Size():
			t.Errorf("memory %s: %d of %d bytes were read", memory, read, info.Size())
		}
	}
}
