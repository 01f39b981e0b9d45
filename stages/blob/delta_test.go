package blob

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// The logs are written by hand, after the published protocol of Delta tables;
// checkpoints are Parquet files of DuckDB's.

const (
	deltaSchema = `{"type":"struct","fields":[` +
		`{"name":"device","type":"string","nullable":true,"metadata":{}},{"name":"tag","type":"string","nullable":true,"metadata":{}},` +
		`{"name":"ts","type":"timestamp","nullable":true,"metadata":{}},{"name":"value","type":"double","nullable":true,"metadata":{}},` +
		`{"name":"seq","type":"long","nullable":true,"metadata":{}}]}`
	plainProtocol = `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}`
)

func metaDataLine(configuration string) string {
	return `{"metaData":{"id":"1","format":{"provider":"parquet","options":{}},"schemaString":` + quoted(deltaSchema) +
		`,"partitionColumns":[],"configuration":{` + configuration + `},"createdTime":1}}`
}

// deltaDirectory is a table in a directory.
type deltaDirectory struct {
	t   testing.TB
	dir string
}

func newDeltaDirectory(t testing.TB) deltaDirectory { return deltaDirectory{t, t.TempDir()} }

// commit writes a commit of actions.
func (d deltaDirectory) commit(version int, actions ...string) {
	d.t.Helper()
	writeFile(d.t, d.dir, fmt.Sprintf("table/_delta_log/%020d.json", version), []byte(strings.Join(actions, "\n")+"\n"))
}

type deltaRow struct {
	Device string    `parquet:"device"`
	Tag    string    `parquet:"tag"`
	Time   time.Time `parquet:"ts,timestamp(microsecond)"`
	Value  float64   `parquet:"value"`
	Seq    int64     `parquet:"seq"`
}

// data writes a data file with readings of some numbers, and returns the action that
// adds it; change changes that.
func (d deltaDirectory) data(name string, change func(*deltaFile), seqs ...int) string {
	d.t.Helper()
	var rows []deltaRow
	for _, n := range seqs {
		r := sample(n)
		rows = append(rows, deltaRow{r.Device, r.Tag, r.At(), r.Value.Float(), int64(n)})
	}
	data := parquetOf(d.t, 1000, rows...)
	writeFile(d.t, d.dir, "table/"+name, data)
	stats := fmt.Sprintf(`{"numRecords":%d,"minValues":{"ts":%q},"maxValues":{"ts":%q},"nullCount":{"ts":0}}`,
		len(rows), rows[0].Time.Format("2006-01-02T15:04:05.000Z"), rows[len(rows)-1].Time.Format("2006-01-02T15:04:05.000Z"))
	f := deltaFile{Path: name, PartitionValues: map[string]*string{}, Size: int64(len(data)), ModificationTime: 1795262400123, DataChange: true, Stats: stats}
	if change != nil {
		change(&f)
	}
	return d.line(map[string]deltaFile{"add": f})
}

func (d deltaDirectory) line(action any) string {
	text, err := json.Marshal(action)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

func removal(name string) string {
	return `{"remove":{"path":` + quoted(name) + `,"deletionTimestamp":1,"dataChange":true}}`
}

func (d deltaDirectory) observe(change func(*ObservationConfig)) *Observation {
	return observe(d.t, dirConfig(d.dir), func(c *ObservationConfig) {
		c.Layout, c.Prefix, c.Columns = LayoutDelta, "table", Columns{Device: "device", Tag: "tag", Time: "ts", Value: []string{"value"}, Seq: "seq", TimeStep: time.Microsecond}
		if change != nil {
			change(c)
		}
	})
}

// check demands that the table has the readings of some numbers.
func (d deltaDirectory) check(want ...uint64) {
	d.t.Helper()
	seqs, unreadable := everything(d.t, d.observe(nil), query())
	slices.Sort(seqs)
	if !slices.Equal(seqs, want) || len(unreadable) > 0 {
		d.t.Errorf("readings %v, want %v; unreadable %v", seqs, want, unreadable)
	}
}

// TestDeltaVersions: only the files of the current version count.
func TestDeltaVersions(t *testing.T) {
	d := newDeltaDirectory(t)
	d.commit(0, `{"commitInfo":{"operation":"CREATE TABLE"}}`, plainProtocol, metaDataLine(""))
	d.check()
	d.commit(1, d.data("a.parquet", nil, 1, 2), d.data("b.parquet", nil, 3))
	d.check(1, 2, 3)
	d.commit(2, d.data("part=1/c d%.parquet", func(f *deltaFile) { f.Path = "part=1/c%20d%25.parquet" }, 4))
	d.check(1, 2, 3, 4)
	// Compaction: the old files stay for as long as somebody may read the old version.
	d.commit(3, removal("a.parquet"), removal("part=1/c%20d%25.parquet"), d.data("e.parquet", func(f *deltaFile) { f.DataChange = false }, 1, 2, 4))
	d.check(1, 2, 3, 4)
	d.commit(4, removal("b.parquet"))
	d.check(1, 2, 4)
	writeFile(t, d.dir, "table/never-committed.parquet", []byte("x"))
	writeFile(t, d.dir, "table/_delta_log/_last_checkpoint", []byte("x"))
	writeFile(t, d.dir, "table/_delta_log/00000000000000000004.crc", []byte("x"))
	d.check(1, 2, 4)
	for _, r := range records(t, d.observe(nil), query()) {
		if r.Arrived != 0 || r.Place.Object != "table/e.parquet" {
			t.Errorf("%s arrived at %d, in a file that holds what had arrived before", r.Place, r.Arrived)
		}
	}
	d.commit(5, d.data("f.parquet", nil, 5))
	q := query()
	q.From = time.Unix(0, sample(5).Time)
	if got := records(t, d.observe(nil), q); len(got) != 1 || got[0].Arrived != 1795262400123*int64(time.Millisecond) {
		t.Errorf("records %+v", got)
	}
}

// TestDeltaSkips: files whose statistics or partition say that they hold nothing of
// what is asked for are not read.
func TestDeltaSkips(t *testing.T) {
	d := newDeltaDirectory(t)
	part := func(v *string) func(*deltaFile) {
		return func(f *deltaFile) { f.PartitionValues = map[string]*string{"asset": v} }
	}
	d.commit(0, plainProtocol, metaDataLine(""), d.data("a.parquet", part(pointer("press 7")), 1, 2), d.data("b.parquet", part(pointer("press8")), 1, 2),
		d.data("c.parquet", part(pointer("press8")), 3600), d.data("d.parquet", func(f *deltaFile) { part(pointer("press8"))(f); f.Stats = "" }, 7200), d.data("e.parquet", part(nil), 7300))
	for _, c := range []struct {
		device   string
		from, to int // seconds
		seqs     string
		objects  int64
	}{
		{"", 0, 7000, "[1 1 2 2 3600]", 4},
		{"press 7", 0, 8000, "[1 2]", 1},
		{"press8", 0, 3000, "[1 2]", 2},
		{"press8", 3000, 8000, "[3600 7200]", 2},
		{"press9", 0, 8000, "[]", 0},
	} {
		o := d.observe(func(c *ObservationConfig) { c.Columns.Device = "asset" })
		seqs, unreadable := everything(t, o, validate.Query{
			Device: c.device, From: validatetest.Noon.Add(time.Duration(c.from) * time.Second), To: validatetest.Noon.Add(time.Duration(c.to) * time.Second),
		})
		slices.Sort(seqs)
		if fmt.Sprint(seqs) != c.seqs || o.Costs().Objects != c.objects || len(unreadable) > 0 {
			t.Errorf("%+v: readings %v of %d objects, unreadable %v", c, seqs, o.Costs().Objects, unreadable)
		}
	}
	// Without a device a row is no reading.
	o := d.observe(func(c *ObservationConfig) { c.Columns.Device = "asset" })
	if _, unreadable := everything(t, o, query()); !strings.Contains(unreadable["table/e.parquet:1"], "device") {
		t.Errorf("unreadable is %v", unreadable)
	}
}

// TestDeltaCheckpoints: what a checkpoint says need not be in commits any more.
func TestDeltaCheckpoints(t *testing.T) {
	if testing.Short() {
		t.Skip("needs DuckDB, which -short does without")
	}
	d := newDeltaDirectory(t)
	add := map[string]deltaFile{}
	for i, name := range []string{"a b.parquet", "b.parquet", "c.parquet"} {
		var action map[string]deltaFile
		line := d.data(name, func(f *deltaFile) { f.Path = strings.ReplaceAll(f.Path, " ", "%20") }, 10*i, 10*i+1)
		if err := json.Unmarshal([]byte(line), &action); err != nil {
			t.Fatal(err)
		}
		add[name] = action["add"]
	}
	const (
		addType  = `STRUCT(path VARCHAR, "partitionValues" MAP(VARCHAR, VARCHAR), size BIGINT, "modificationTime" BIGINT, "dataChange" BOOLEAN, stats VARCHAR)`
		metaType = `STRUCT(id VARCHAR, format STRUCT(provider VARCHAR, options MAP(VARCHAR, VARCHAR)), "schemaString" VARCHAR, "partitionColumns" VARCHAR[], configuration MAP(VARCHAR, VARCHAR))`
		protType = `STRUCT("minReaderVersion" INTEGER, "minWriterVersion" INTEGER, "readerFeatures" VARCHAR[])`
	)
	row := func(add, remove, meta, protocol string) string {
		return fmt.Sprintf(`SELECT %s::%s AS "add", %s::STRUCT(path VARCHAR, "deletionTimestamp" BIGINT) AS "remove", %s::%s AS "metaData", %s::%s AS protocol`,
			add, addType, remove, meta, metaType, protocol, protType)
	}
	addRow := func(name string) string {
		f := add[name]
		return row(fmt.Sprintf(`{'path': '%s', 'partitionValues': MAP {'plant': 'north', 'hall': NULL}, 'size': %d, 'modificationTime': %d, 'dataChange': true, 'stats': '%s'}`,
			f.Path, f.Size, f.ModificationTime, f.Stats), "NULL", "NULL", "NULL")
	}
	metaRow := func(mode string) string {
		return row("NULL", "NULL", fmt.Sprintf(`{'id': '1', 'format': {'provider': 'parquet', 'options': MAP {}}, 'schemaString': '%s', 'partitionColumns': ['plant', 'hall'], 'configuration': MAP {'a': 'b', 'delta.columnMapping.mode': '%s'}}`,
			deltaSchema, mode), "NULL")
	}
	protocolRow := func(features string) string {
		return row("NULL", "NULL", "NULL", `{'minReaderVersion': 3, 'minWriterVersion': 7, 'readerFeatures': [`+features+`]}`)
	}
	gone := row("NULL", `{'path': 'a%20b.parquet', 'deletionTimestamp': 1}`, "NULL", "NULL")
	write := func(t *testing.T, name string, rows ...string) {
		t.Helper()
		log := filepath.Join(d.dir, "table/_delta_log")
		if err := os.MkdirAll(log, 0o750); err != nil {
			t.Fatal(err)
		}
		duckdb[struct{}](t, fmt.Sprintf("COPY (%s) TO '%s' (FORMAT parquet)", strings.Join(rows, " UNION ALL "), filepath.Join(log, name)))
	}
	d.commit(12, removal("b.parquet"))
	if _, err := d.failure(); err == nil || !strings.Contains(err.Error(), "has no commit 0") {
		t.Errorf("a log without its beginning: %v", err)
	}
	write(t, "00000000000000000011.checkpoint.parquet", protocolRow("'timestampNtz', 'columnMapping'"), metaRow("none"), addRow("a b.parquet"), addRow("b.parquet"))
	d.check(0, 1)
	o := d.observe(func(c *ObservationConfig) { c.Columns.Site, c.Columns.Line = "plant", "hall" })
	if got := records(t, o, query()); len(got) != 2 || got[0].Site != "north" || got[0].Line != "" {
		t.Errorf("records %+v", got)
	}
	// In parts, of which one is missing at first.
	d.commit(13, d.data("x.parquet", nil, 99))
	write(t, "00000000000000000013.checkpoint.0000000001.0000000002.parquet", protocolRow(""), gone, addRow("c.parquet"))
	d.check(0, 1, 99)
	write(t, "00000000000000000013.checkpoint.0000000002.0000000002.parquet", metaRow("none"), addRow("b.parquet"))
	d.check(10, 11, 20, 21)
	// A later commit, and what may not be read.
	d.commit(14, removal("c.parquet"), d.data("e.parquet", nil, 50))
	d.check(10, 11, 50)
	write(t, "00000000000000000014.checkpoint.parquet", protocolRow("'deletionVectors'"), metaRow("none"))
	if _, err := d.failure(); err == nil || !strings.Contains(err.Error(), "deletionVectors") {
		t.Errorf("a feature that is not supported: %v", err)
	}
	write(t, "00000000000000000014.checkpoint.parquet", protocolRow(""), metaRow("name"))
	if _, err := d.failure(); err == nil || !strings.Contains(err.Error(), "columnMapping") {
		t.Errorf("columns of other names: %v", err)
	}
	writeFile(t, d.dir, "table/_delta_log/00000000000000000014.checkpoint.parquet", []byte("PAR1, but nothing more PAR1"))
	if _, err := d.failure(); err == nil || !strings.Contains(err.Error(), "00000000000000000014.checkpoint.parquet") {
		t.Errorf("a damaged checkpoint: %v", err)
	}
}

func (d deltaDirectory) failure() (readings int, err error) {
	err = d.observe(nil).Read(d.t.Context(), query(), func(p validate.Page) error { readings += len(p.Records); return nil })
	return readings, err
}

// TestDeltaRefusals: a table that might be read wrongly is not read.
func TestDeltaRefusals(t *testing.T) {
	protocol := func(version int, features ...string) string {
		text, err := json.Marshal(features)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"protocol":{"minReaderVersion":%d,"minWriterVersion":7,"readerFeatures":%s,"writerFeatures":[]}}`, version, text)
	}
	add := func(d deltaDirectory, change func(*deltaFile)) string { return d.data("a.parquet", change, 1) }
	for name, c := range map[string]struct {
		actions func(d deltaDirectory) []string
		want    string
	}{
		"deletionVectors": {func(d deltaDirectory) []string {
			return []string{protocol(3, "timestampNtz", "deletionVectors"), metaDataLine(""), add(d, nil)}
		}, "deletionVectors"},
		"v2Checkpoint": {func(d deltaDirectory) []string {
			return []string{protocol(3, "v2Checkpoint"), metaDataLine(""), add(d, nil)}
		}, "v2Checkpoint"},
		"unknown": {func(d deltaDirectory) []string {
			return []string{protocol(3, "ofTheFuture"), metaDataLine(""), add(d, nil)}
		}, "ofTheFuture"},
		"columnMapping": {func(d deltaDirectory) []string {
			return []string{protocol(2), metaDataLine(`"delta.columnMapping.mode":"id"`), add(d, nil)}
		}, "columnMapping"},
		"version": {func(d deltaDirectory) []string {
			return []string{protocol(4), metaDataLine(""), add(d, nil)}
		}, "version 4"},
		"a vector": {func(d deltaDirectory) []string {
			raw := json.RawMessage(`{"storageType":"u","cardinality":1}`)
			return []string{plainProtocol, metaDataLine(""), add(d, func(f *deltaFile) { f.DeletionVector = &raw })}
		}, "deletionVectors"},
		"absolute": {func(d deltaDirectory) []string {
			return []string{plainProtocol, metaDataLine(""), add(d, func(f *deltaFile) { f.Path = "abfss://c@a.dfs.core.windows.net/t/a.parquet" })}
		}, "shallow clone"},
		"leading out": {func(d deltaDirectory) []string {
			return []string{plainProtocol, metaDataLine(""), add(d, func(f *deltaFile) { f.Path = "%2E%2E/other/a.parquet" })}
		}, "leads nowhere"},
		"escapes":     {func(d deltaDirectory) []string { return []string{plainProtocol, metaDataLine(""), removal("a%2")} }, "cannot be decoded"},
		"no protocol": {func(d deltaDirectory) []string { return []string{metaDataLine("")} }, "neither"},
		"no JSON":     {func(d deltaDirectory) []string { return []string{plainProtocol, metaDataLine(""), `{"add":`} }, "00000000000000000000.json:3"},
		"orc": {func(d deltaDirectory) []string {
			return []string{plainProtocol, strings.Replace(metaDataLine(""), `"parquet"`, `"orc"`, 1)}
		}, "orc"},
	} {
		d := newDeltaDirectory(t)
		d.commit(0, c.actions(d)...)
		if n, err := d.failure(); n != 0 || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d readings, %v; want %q", name, n, err, c.want)
		}
	}
	d := newDeltaDirectory(t)
	if _, err := d.failure(); err == nil || !strings.Contains(err.Error(), "no Delta table") {
		t.Errorf("no table: %v", err)
	}
	d.commit(0, plainProtocol, metaDataLine(""))
	d.commit(2)
	if _, err := d.failure(); err == nil || !strings.Contains(err.Error(), "no commit 1") {
		t.Errorf("a hole in the log: %v", err)
	}
	if err := tables(t, d.dir, Columns{Device: "d", Tag: "t", Time: "ts", Value: []string{"v"}}).Read(t.Context(), query(), func(validate.Page) error { return nil }); err == nil || !strings.Contains(err.Error(), "layout: delta") {
		t.Errorf("files of a table read without its log: %v", err)
	}
}

// TestDeltaFilesThatDiffer: a file that is not the one of the log is told.
func TestDeltaFilesThatDiffer(t *testing.T) {
	d := newDeltaDirectory(t)
	d.commit(0, plainProtocol, metaDataLine(""),
		d.data("size.parquet", func(f *deltaFile) { f.Size++ }, 1), d.data("rows.parquet", func(f *deltaFile) { f.Stats = `{"numRecords":2}` }, 2),
		d.data("gone.parquet", func(f *deltaFile) { f.Path = "not-there.parquet" }, 3), d.data("whole.parquet", nil, 4))
	seqs, unreadable := everything(t, d.observe(nil), query())
	if fmt.Sprint(seqs) != "[4]" || len(unreadable) != 3 {
		t.Errorf("readings %v, unreadable %v", seqs, unreadable)
	}
	for place, want := range map[string]string{"size.parquet": "the log of the table says", "rows.parquet": "has 1 rows", "not-there.parquet": "is not there"} {
		if !strings.Contains(unreadable["table/"+place], want) {
			t.Errorf("%s is unreadable because of %q", place, unreadable["table/"+place])
		}
	}
}
