package blob

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// TestRowsAreThePayloads: a row of the sink's Parquet is read as the payload that it
// was made of, whatever that was.
func TestRowsAreThePayloads(t *testing.T) {
	text := rapid.SampledFrom([]string{`"a"`, `"press7"`, `"µ\u00e4"`, `"\ud800"`, `"a\ufffd"`, `""`, `7`, `true`, `[1]`})
	values := map[string]*rapid.Generator[string]{
		"site": text, "line": text, "device": text, "tag": text, "quality": text, "unit": text,
		"ts": rapid.SampledFrom([]string{
			`"2026-11-21T12:00:00Z"`, `"2026-11-21T12:00:00.123456Z"`, `"2026-11-21T12:00:00.123456789Z"`, `"2026-11-21T13:00:00+01:00"`, `"1969-12-31T23:59:59.9999999Z"`,
			`"1700-01-01T00:00:00.000000001Z"`, `"3000-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"yesterday"`, `1795232439`,
		}),
		"value": rapid.OneOf(text, rapid.SampledFrom([]string{
			`1`, `2.0`, `-0.0`, `0.0`, `1e3`, `0.1000`, `9007199254740993`, `9007199254740993.0`, `9223372036854775807`, `-9223372036854775808`, `9223372036854775808`, `1e19`, `1e300`,
			`1e-400`, `0.1234567890123456789`, `123456789012345678`, `{"float":"7ff8000000000001"}`, `{"float":"fff0000000000000"}`, `{"x":1}`, `false`, `5e-324`,
		})),
		"seq": rapid.SampledFrom([]string{`0`, `1`, `9223372036854775807`, `18446744073709551615`, `1.0`, `-1`, `"1"`}),
	}
	names := rapid.SampledFrom([]string{"site", "line", "device", "tag", "ts", "value", "quality", "seq", "unit"})
	dir := t.TempDir()
	o := observe(t, dirConfig(dir), nil)
	rapid.Check(t, func(r *rapid.T) {
		payload := "{"
		members := rapid.SampledFrom([][]string{{"device", "tag", "ts", "value", "quality", "seq"}, {"site", "line", "device", "tag", "ts", "value", "quality", "seq"}, {}}).Draw(r, "members")
		members = append(members[:len(members):len(members)], rapid.SliceOfN(names, 0, 1).Draw(r, "more")...)
		for i, name := range members {
			if i > 0 {
				payload += ","
			}
			payload += quoted(name) + ":" + values[name].Draw(r, name)
		}
		payload += "}"
		var p reading.Parser
		want, wantErr := p.Parse([]byte(payload))
		if !slices.Contains(members, "value") { // which a row does not tell from null
			return
		}

		e := newParquetEncoder(Zstd)
		e.begin(0)
		if err := e.add(message.NewMessage("", []byte(payload)), ""); err != nil {
			r.Fatal(err)
		}
		data, err := e.finish()
		if err != nil {
			r.Fatal(err)
		}
		writeFile(t, dir, "a.parquet", data)
		var got []reading.Reading
		var unreadable []error
		all := validate.Query{From: earliest, To: latest}
		if err := o.Read(t.Context(), all, func(p validate.Page) error {
			for _, rec := range p.Records {
				got = append(got, rec.Reading)
			}
			for _, u := range p.Unreadable {
				unreadable = append(unreadable, u.Err)
			}
			return nil
		}); err != nil {
			r.Fatal(err)
		}
		if wantErr != nil && (len(got) != 0 || len(unreadable) != 1) || wantErr == nil && (len(got) != 1 || got[0] != want) {
			r.Fatalf("%s\nis %+v (%v), and was read as %+v, unreadable %v", payload, want, wantErr, got, unreadable)
		}
	})
}
