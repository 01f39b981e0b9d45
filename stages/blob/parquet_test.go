package blob

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func encodeParquet(t rapid.TB, c Compression, payloads ...string) []byte {
	t.Helper()
	e := newParquetEncoder(c)
	e.begin(0)
	for _, p := range payloads {
		if err := e.add(&message.Message{Payload: []byte(p)}, ""); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
	}
	data, err := e.finish()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decodeParquet(t rapid.TB, data []byte) []readingRow {
	t.Helper()
	rows, err := parquet.Read[readingRow](bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func pointer[T any](v T) *T { return &v }

func TestParquetColumns(t *testing.T) {
	micros := time.Date(2026, 11, 21, 3, 40, 39, 123456000, time.UTC).UnixMicro()
	for payload, want := range map[string]readingRow{
		`{"site":"s","line":"l","device":"d","tag":"t","ts":"2026-11-21T03:40:39.123456Z","value":182.4375,"quality":"good","seq":7}`: {
			Site: pointer("s"), Line: pointer("l"), Device: pointer("d"), Tag: pointer("t"), Time: &micros,
			Value: pointer(182.4375), Quality: pointer("good"), Seq: pointer(int64(7)),
		},
		`{}`:                                        {},
		`{"value":null,"quality":null}`:             {},
		`{"value":"running"}`:                       {ValueText: pointer("running")},
		`{"value":"a\"\u00e4\n"}`:                   {ValueText: pointer("a\"ä\n")},
		`{"value":false}`:                           {ValueBool: pointer(false)},
		`{"value":0}`:                               {Value: pointer(0.0)},
		`{"value":2}`:                               {Value: pointer(2.0)},
		`{"value":2.0}`:                             {Value: pointer(2.0), Extra: pointer(`{"value":2.0}`)},
		`{"value":1e3}`:                             {Value: pointer(1000.0), Extra: pointer(`{"value":1e3}`)},
		`{"value":0.1000}`:                          {Value: pointer(0.1)},
		`{"value":9007199254740993}`:                {Value: pointer(9007199254740992.0), Extra: pointer(`{"value":9007199254740993}`)},
		`{"value":1e999}`:                           {Extra: pointer(`{"value":1e999}`)},
		`{"value":1e-999}`:                          {Value: pointer(0.0), Extra: pointer(`{"value":1e-999}`)},
		`{"value":{"x":1}}`:                         {Extra: pointer(`{"value":{"x":1}}`)},
		`{"seq":1.5,"site":7,"unit":"bar"}`:         {Extra: pointer(`{"seq":1.5,"site":7,"unit":"bar"}`)},
		`{"seq":1,"seq":2}`:                         {Seq: pointer(int64(1)), Extra: pointer(`{"seq":2}`)},
		`{"site":""}`:                               {Site: pointer("")},
		`{"site":"\ud800"}`:                         {Site: pointer("\uFFFD"), Extra: pointer(`{"site":"\ud800"}`)},
		`{"ts":"2026-11-21T03:40:39.1234567Z"}`:     {Time: &micros, Extra: pointer(`{"ts":"2026-11-21T03:40:39.1234567Z"}`)},
		`{"ts":"2026-11-21T04:40:39.123456+01:00"}`: {Time: &micros, Extra: pointer(`{"ts":"2026-11-21T04:40:39.123456+01:00"}`)},
		`{"ts":1795232439}`:                         {Extra: pointer(`{"ts":1795232439}`)},
		`{"ts":"yesterday"}`:                        {Extra: pointer(`{"ts":"yesterday"}`)},
	} {
		rows := decodeParquet(t, encodeParquet(t, Zstd, payload))
		if len(rows) != 1 || !reflect.DeepEqual(rows[0], want) {
			got, _ := json.Marshal(rows)
			t.Errorf("%s became %s", payload, got)
		}
	}
}

// TestParquetLosesNothing reads payloads back, whatever they hold: columns and
// extra together say all that the payload said.
func TestParquetLosesNothing(t *testing.T) {
	name := rapid.OneOf(rapid.SampledFrom([]string{"site", "line", "device", "tag", "ts", "value", "quality", "seq", "extra", "unit"}), rapid.String())
	value := rapid.OneOf(
		rapid.Map(rapid.String(), quoted),
		rapid.SampledFrom([]string{"true", "false", "0", "-0", "12345678901234567890", "0.1", "1e2", "1E+2", "-1.50", "1e-7", "[1,2]", "{\"a\":null}",
			`"2026-11-21T03:40:39Z"`, `"2026-11-21T03:40:39.000001Z"`, `"2026-11-21T03:40:39.0000001Z"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999999Z"`}),
		rapid.Map(rapid.Float64(), func(v float64) string {
			b, err := json.Marshal(v)
			if err != nil {
				return "1"
			}
			return string(b)
		}),
		rapid.Map(rapid.Int64(), func(v int64) string { return fmt.Sprint(v) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		var payloads []string
		var want []map[string]string
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			members, p := map[string]string{}, "{"
			for range rapid.IntRange(0, 6).Draw(t, "members") {
				n, v := name.Draw(t, "name"), value.Draw(t, "value")
				if _, twice := members[n]; twice {
					continue
				}
				members[n] = canonical(v)
				if len(p) > 1 {
					p += ", "
				}
				p += quoted(n) + ": " + v
			}
			payloads, want = append(payloads, p+"}"), append(want, members)
		}
		for _, c := range []Compression{Plain, Gzip, Zstd} {
			data := encodeParquet(t, c, payloads...)
			if !bytes.Equal(data, encodeParquet(t, c, payloads...)) {
				t.Fatal("the same rows make other bytes")
			}
			for i, r := range decodeParquet(t, data) {
				if got := r.members(t); !reflect.DeepEqual(got, want[i]) {
					t.Fatalf("%s became %v, want %v", payloads[i], got, want[i])
				}
			}
		}
	})
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// canonical makes equal texts of equal JSON values.
func canonical(text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	if n, ok := v.(json.Number); ok {
		r, ok := new(big.Rat).SetString(n.String())
		if !ok {
			panic(n)
		}
		return r.RatString()
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// members is what a row says: extra wins, as it is exact.
func (r readingRow) members(t rapid.TB) map[string]string {
	m := map[string]string{}
	for name, text := range map[string]*string{"site": r.Site, "line": r.Line, "device": r.Device, "tag": r.Tag, "quality": r.Quality, "value": r.ValueText} {
		if text != nil {
			m[name] = quoted(*text)
		}
	}
	if r.Time != nil {
		m["ts"] = quoted(time.UnixMicro(*r.Time).UTC().Format(time.RFC3339Nano))
	}
	if r.Value != nil {
		b, err := json.Marshal(*r.Value)
		if err != nil {
			t.Fatal(err)
		}
		m["value"] = canonical(string(b))
	}
	if r.ValueBool != nil {
		m["value"] = fmt.Sprint(*r.ValueBool)
	}
	if r.Seq != nil {
		m["seq"] = fmt.Sprint(*r.Seq)
	}
	if r.Extra != nil {
		var extra map[string]json.RawMessage
		if err := json.Unmarshal([]byte(*r.Extra), &extra); err != nil {
			t.Fatalf("extra is %s: %v", *r.Extra, err)
		}
		for name, v := range extra {
			m[name] = canonical(string(v))
		}
	}
	return m
}

// TestParquetRowGroups writes more rows than a row group holds.
func TestParquetRowGroups(t *testing.T) {
	e := newParquetEncoder(Zstd)
	const n = 2*rowGroupRows + 1
	for range 2 { // an encoder is used again
		e.begin(0)
		for i := range n {
			if err := e.add(&message.Message{Payload: fmt.Appendf(nil, `{"device":"d%d","seq":%d}`, i%200, i)}, ""); err != nil {
				t.Fatal(err)
			}
		}
		data, err := e.finish()
		if err != nil {
			t.Fatal(err)
		}
		file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if groups := len(file.RowGroups()); groups != 3 || file.NumRows() != n {
			t.Errorf("%d rows in %d groups", file.NumRows(), groups)
		}
	}
}

// TestParquetSink writes objects through the sink; what is no object fails by
// itself.
func TestParquetSink(t *testing.T) {
	cfg := dirConfig(t.TempDir())
	cfg.Format, cfg.Path = FormatParquet, "hive"
	s := openSink(t, cfg)
	msgs := []*message.Message{msg(`{"seq":1}`), msg(`[1]`), msg(`{"seq":3}`), msg(`no`)}
	for _, m := range msgs {
		m.Metadata.Set(feed.MetaTime, "2026-01-02T03:04:05Z")
	}
	err := s.PublishBatch(t.Context(), feed.NewBatch(msgs...))
	var be *feed.BatchError
	if !errors.As(err, &be) || len(be.Failures) != 2 || be.Failures[0].Index != 1 || be.Failures[1].Index != 3 || !feed.IsPermanent(be.Failures[0].Err) {
		t.Fatalf("got %v", err)
	}
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	found := 0
	for o, err := range r.Objects(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		found++
		if !strings.HasPrefix(o.Name, "date=2026-01-02/hour=03/") || !strings.HasSuffix(o.Name, ".parquet") {
			t.Errorf("the name is %s", o.Name)
		}
		in, err := r.Read(t.Context(), o.Name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
		if rows := decodeParquet(t, data); len(rows) != 2 || *rows[0].Seq != 1 || *rows[1].Seq != 3 {
			t.Errorf("%d rows", len(rows))
		}
	}
	if found != 1 {
		t.Errorf("%d objects", found)
	}
}
