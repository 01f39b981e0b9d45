package blob

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// duckdb runs a query and decodes its rows into rows.
func duckdb[R any](t *testing.T, query string) []R {
	t.Helper()
	const directory = "../../.cache/duckdb"
	if _, err := os.Stat(directory); err != nil {
		t.Fatalf("DuckDB is not installed: run make setup: %v", err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", "testdata/duckdb.cjs", directory, query)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	var rows []R
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var r R
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// TestDuckDBReadsParquet has an independent reader read what the sink has
// written, of many readings in partitions: the contents are equal.
func TestDuckDBReadsParquet(t *testing.T) {
	t.Parallel() // it waits most of the time
	if testing.Short() {
		t.Skip("needs DuckDB, which -short does without")
	}
	const n, perBatch = 20000, 5000
	begin := time.Date(2026, 1, 2, 22, 0, 0, 0, time.UTC)
	var payloads []string
	for i := range n {
		at := begin.Add(time.Duration(i) * 700 * time.Millisecond).Format(time.RFC3339Nano)
		value := fmt.Sprint(float64(i) / 7)
		switch i % 5 {
		case 1:
			value = quoted(fmt.Sprintf("mode \"%d\" µ", i))
		case 2:
			value = fmt.Sprint(i%2 == 0)
		}
		p := fmt.Sprintf(`{"site":"s","line":"l%d","device":"d%d","tag":"t","ts":%q,"value":%s,"quality":"good","seq":%d`, i%3, i%50, at, value, i)
		if i%4 == 0 {
			p += `,"unit":"bar","limits":[1,2.50]`
		}
		payloads = append(payloads, p+"}")
	}
	for _, c := range []Compression{Plain, Gzip, Zstd} {
		cfg := dirConfig(t.TempDir())
		cfg.Format, cfg.Path, cfg.Compression = FormatParquet, "hive", c
		s := openSink(t, cfg)
		for from := 0; from < n; from += perBatch {
			var msgs []*message.Message
			for i, p := range payloads[from : from+perBatch] {
				at := begin.Add(time.Duration(from+i) * 700 * time.Millisecond).Format(time.RFC3339Nano)
				msgs = append(msgs, msg(p, feed.MetaTime, at))
			}
			if err := s.PublishBatch(t.Context(), feed.NewBatch(msgs...)); err != nil {
				t.Fatal(err)
			}
		}
		place, err := cfg.place()
		if err != nil {
			t.Fatal(err)
		}
		files := filepath.Join(place.dir, "**", "*.parquet")
		t.Run(string(c), func(t *testing.T) { checkWithDuckDB(t, files, payloads) })
	}
}

func checkWithDuckDB(t *testing.T, files string, payloads []string) {
	from := fmt.Sprintf("read_parquet('%s', hive_partitioning = true, hive_types_autocast = false)", files)
	var types []string
	for _, c := range duckdb[struct {
		Name string `json:"column_name"`
		Type string `json:"column_type"`
	}](t, "DESCRIBE SELECT * FROM "+from) {
		types = append(types, c.Name+" "+c.Type)
	}
	const want = "site VARCHAR, line VARCHAR, device VARCHAR, tag VARCHAR, ts TIMESTAMP WITH TIME ZONE, value DOUBLE, value_text VARCHAR, value_bool BOOLEAN, quality VARCHAR, seq BIGINT, extra VARCHAR, date VARCHAR, hour VARCHAR"
	if got := strings.Join(types, ", "); got != want {
		t.Errorf("columns\n%s, want\n%s", got, want)
	}
	// Numbers travel as text: JSON of the script's would round them.
	rows := duckdb[struct {
		Site, Line, Device, Tag, Quality, Extra, Date, Hour string
		TS, Seq, Value                                      string
		Text                                                *string `json:"value_text"`
		Bool                                                *bool   `json:"value_bool"`
	}](t, `SELECT site, line, device, tag, quality, coalesce(extra, '') AS extra, date, hour, epoch_us(ts)::VARCHAR AS ts, seq::VARCHAR AS seq,
		coalesce(value::VARCHAR, '') AS value, value_text, value_bool FROM `+from+" ORDER BY seq::BIGINT")
	if len(rows) != len(payloads) {
		t.Fatalf("%d rows, want %d", len(rows), len(payloads))
	}
	for i, r := range rows {
		var p struct {
			Site, Line, Device, Tag, Quality string
			TS                               time.Time
			Value                            json.RawMessage
			Seq                              json.Number
			Unit                             string
		}
		if err := json.Unmarshal([]byte(payloads[i]), &p); err != nil {
			t.Fatal(err)
		}
		value := canonical(string(p.Value))
		switch {
		case r.Text != nil:
			r.Value = canonical(quoted(*r.Text))
		case r.Bool != nil:
			r.Value = fmt.Sprint(*r.Bool)
		default:
			r.Value = canonical(r.Value)
		}
		extra := ""
		if p.Unit != "" {
			extra = `{"unit":"bar","limits":[1,2.50]}`
		}
		if r.Site != p.Site || r.Line != p.Line || r.Device != p.Device || r.Tag != p.Tag || r.Quality != p.Quality || r.Seq != p.Seq.String() ||
			r.TS != fmt.Sprint(p.TS.UnixMicro()) || r.Value != value || r.Extra != extra ||
			r.Date != p.TS.Format(time.DateOnly) || r.Hour != p.TS.Format("15") {
			t.Fatalf("%s became %+v", payloads[i], r)
		}
	}
}
