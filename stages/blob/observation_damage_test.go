package blob

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// query is for all readings of the tests.
func query() validate.Query {
	return validate.Query{From: validatetest.Noon.Add(-24 * time.Hour), To: validatetest.Noon.Add(24 * time.Hour)}
}

// sample is the n-th reading of a device, n seconds after noon.
func sample(n int) reading.Reading {
	return reading.Reading{
		Site: "plant1", Device: "press7", Tag: "temperature", Time: validatetest.Noon.Add(time.Duration(n) * time.Second).UnixNano(),
		Value: reading.OfFloat(float64(n) + 0.5), Quality: "good", Seq: uint64(n),
	}
}

func samples(from, n int) []reading.Reading {
	rs := make([]reading.Reading, n)
	for i := range rs {
		rs[i] = sample(from + i)
	}
	return rs
}

// everything reads all, and returns the numbers of the readings and the places of
// what is unreadable.
func everything(t testing.TB, o *Observation, q validate.Query) (seqs []uint64, unreadable map[string]string) {
	t.Helper()
	unreadable = map[string]string{}
	if err := o.Read(t.Context(), q, func(p validate.Page) error {
		for _, r := range p.Records {
			seqs = append(seqs, r.Seq)
		}
		for _, u := range p.Unreadable {
			unreadable[u.Place.String()] = u.Err.Error()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return seqs, unreadable
}

// encoded returns the bytes of an object of readings.
func encoded(t testing.TB, change func(*Config), rs ...reading.Reading) []byte {
	t.Helper()
	cfg := DefaultConfig()
	change(&cfg)
	e, err := newEncoder(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.begin(0)
	for _, r := range rs {
		if err := e.add(messageOf(r), ""); err != nil {
			t.Fatal(err)
		}
	}
	data, err := e.finish()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(data)
}

func writeFile(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamageIsTold reads what is not as it should be, beside an object that is.
func TestDamageIsTold(t *testing.T) {
	line := func(n int) string { r := sample(n); return string(r.AppendJSON(nil)) }
	full := func(payload string) string {
		return `{"topic":"t","id":"1","metadata":{},"encoding":"base64","payload":"` + base64.StdEncoding.EncodeToString([]byte(payload)) + `"}`
	}
	gz, zst, parquet := encoded(t, forms["ndjson.gz"], samples(1, 50)...), encoded(t, forms["ndjson.zst"], samples(1, 50)...), encoded(t, forms["parquet"], samples(1, 50)...)
	flipped := func(data []byte, at int) []byte {
		data = bytes.Clone(data)
		data[at] ^= 0x55
		return data
	}
	for name, c := range map[string]struct {
		object string
		data   []byte
		seqs   int            // of readings that come out
		want   map[int]string // by position; 0 is the object
	}{
		"line":            {"a.ndjson", []byte(line(1) + "\n{\"alarm\":7}\n" + line(3) + "\n"), 2, map[int]string{2: "a reading has no member"}},
		"last line cut":   {"a.ndjson", []byte(line(1) + "\n" + line(2)[:30]), 1, map[int]string{2: "no JSON object"}},
		"last line whole": {"a.ndjson", []byte(line(1) + "\r\n\n" + line(2)), 2, nil},
		"long line":       {"a.ndjson", []byte(line(1) + "\n" + strings.Repeat(" ", 400<<10) + line(2) + "\n" + line(3)), 2, map[int]string{2: "maxLineBytes"}},
		"long last line":  {"a.ndjson", []byte(line(1) + "\n" + strings.Repeat(" ", 400<<10)), 1, map[int]string{2: "maxLineBytes"}},
		"longer lines":    {"a.ndjson", []byte(strings.Repeat(" ", 300<<10) + line(1) + "\n" + line(2)), 2, nil},
		"too large":       {"a.ndjson", []byte(line(1) + "\n" + strings.Repeat("\n", 1<<20)), 1, map[int]string{0: "larger than the reader takes"}},
		"base64":          {"a.ndjson", []byte(full(line(1)) + "\n" + full("\x00\x01") + "\n"), 1, map[int]string{2: "no JSON object"}},
		"gzip cut":        {"a.ndjson.gz", gz[:len(gz)-5], -1, map[int]string{0: "unexpected EOF"}},
		"gzip checksum":   {"a.ndjson.gz", flipped(gz, len(gz)-6), -1, map[int]string{0: "checksum"}},
		"gzip, a tail":    {"a.ndjson.gz", append(bytes.Clone(gz), "tail"...), -1, map[int]string{0: "EOF"}},
		"no gzip":         {"a.ndjson.gz", []byte(line(1)), 0, map[int]string{0: "header"}},
		"empty gzip":      {"a.ndjson.gz", nil, 0, map[int]string{0: "EOF"}},
		"zstd cut":        {"a.ndjson.zst", zst[:len(zst)-1], -1, map[int]string{0: "EOF"}},
		"zstd checksum":   {"a.ndjson.zst", flipped(zst, len(zst)-2), -1, map[int]string{0: "CRC"}},
		"parquet cut":     {"a.parquet", parquet[:len(parquet)-1], 0, map[int]string{0: "does not end"}},
		"parquet begins":  {"a.parquet", flipped(parquet, 0), 0, map[int]string{0: "does not begin"}},
		"no parquet":      {"a.parquet", []byte("short"), 0, map[int]string{0: "too short"}},
		"other parquet":   {"a.parquet", foreignParquet(t), 0, map[int]string{0: "write layout: parquet"}},
		"extension":       {"a.csv", []byte("1,2"), 0, map[int]string{0: "ends with none of"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, c.object, c.data)
			writeFile(t, dir, "b.ndjson", []byte(line(100)+"\n"))
			writeFile(t, dir, ".checkpoint/f-r.json", []byte("{}"))
			o := observe(t, dirConfig(dir), func(c *ObservationConfig) { c.MaxLineBytes, c.MaxObjectBytes = 350*feed.KiB, feed.MiB })
			seqs, unreadable := everything(t, o, query())
			if got := len(seqs) - 1; c.seqs >= 0 && got != c.seqs || got < 0 {
				t.Errorf("%d readings beside the whole one, want %d", got, c.seqs)
			}
			if len(unreadable) != len(c.want) {
				t.Errorf("unreadable is %v", unreadable)
			}
			for position, reason := range c.want {
				place := validate.Place{Object: c.object, Position: int64(position)}.String()
				if !strings.Contains(unreadable[place], reason) {
					t.Errorf("%s is unreadable because of %q, want %q", place, unreadable[place], reason)
				}
			}
		})
	}
}

// TestTimeOfWhatCannotBeRead: what stands in a directory of some time is of that time,
// with slack around, be it damaged, a stray file or a link.
func TestTimeOfWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	hash := strings.Repeat("0", hashLen)
	writeFile(t, dir, "2026-11-21/12/"+hash+".ndjson", []byte("no reading\n"))
	writeFile(t, dir, "2026-11-21/12/README.txt", nil)
	writeFile(t, dir, "2026-11-21/notes", nil)
	link(t, dir, filepath.Join(dir, "2026-11-21/13"))
	writeFile(t, dir, "2026-11-22", nil)
	o := observe(t, dirConfig(dir), func(c *ObservationConfig) { c.Path, c.Slack = "{date}/{hour}/{hash}", 2*time.Hour })
	got := map[string]string{}
	months := validate.Query{From: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)}
	if err := o.Read(t.Context(), months, func(p validate.Page) error {
		for _, u := range p.Unreadable {
			got[u.Place.Object] = ""
			if !u.From.IsZero() || !u.To.IsZero() {
				got[u.Place.Object] = u.From.Format("02T15:04") + " " + u.To.Format("02T15:04")
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{
		"2026-11-21/12/" + hash + ".ndjson": "21T10:00 21T15:00", "2026-11-21/12/README.txt": "21T10:00 21T15:00",
		"2026-11-21/notes": "20T22:00 22T02:00", "2026-11-21/13": "21T11:00 21T16:00", "2026-11-22": "",
	}; !maps.Equal(got, want) {
		t.Errorf("unreadable is %v, want %v", got, want)
	}
}

// TestDamagedParquet: whatever is wrong in a file, it does not end the process, nor
// the read of the others.
func TestDamagedParquet(t *testing.T) {
	whole := encoded(t, forms["parquet"], samples(0, 200)...)
	dir := t.TempDir()
	o := observe(t, dirConfig(dir), nil)
	writeFile(t, dir, "b.ndjson", encoded(t, forms["ndjson"], sample(1000)))
	rapid.Check(t, func(r *rapid.T) {
		data := bytes.Clone(whole)
		for range rapid.IntRange(1, 4).Draw(r, "changes") {
			data[rapid.IntRange(0, len(data)-1).Draw(r, "at")] = rapid.Byte().Draw(r, "byte")
		}
		writeFile(t, dir, "a.parquet", data)
		if seqs, _ := everything(t, o, query()); len(seqs) < 1 || len(seqs) > 201 {
			r.Fatalf("%d readings", len(seqs))
		}
	})
}

// TestStoredHash: bytes that are not those that were stored are told, also where they
// are readings.
func TestStoredHash(t *testing.T) {
	server := testenv.Azurite(t)
	sink := azureConfig(server, server.Addr)
	for name, data := range map[string][]byte{
		"a.ndjson":      encoded(t, forms["ndjson"], sample(1)),
		"a.ndjson.zst":  encoded(t, forms["ndjson.zst"], sample(2)),
		"a.parquet":     encoded(t, forms["parquet"], sample(3)),
		"true/a.ndjson": encoded(t, forms["ndjson"], sample(4)),
	} {
		hash := contentHash([]byte("what was stored"))
		if strings.HasPrefix(name, "true/") {
			hash = contentHash(data)
		}
		upload(t, sink, name, data, map[string]*string{metaHash: &hash})
	}
	upload(t, sink, "true", nil, map[string]*string{metaFolder: to.Ptr("true")})
	_, unreadable := everything(t, observe(t, sink, nil), query())
	if len(unreadable) != 3 {
		t.Errorf("unreadable is %v", unreadable)
	}
	for _, place := range []string{"a.ndjson", "a.ndjson.zst", "a.parquet"} {
		if !strings.Contains(unreadable[place], "the stored hash differs") {
			t.Errorf("%s is unreadable because of %q", place, unreadable[place])
		}
	}
}

func upload(t testing.TB, cfg Config, name string, data []byte, meta map[string]*string) {
	t.Helper()
	a, err := newAzure(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if err := a.do(t.Context(), "put blob", name, func(c *container.Client) error {
		b := newBody(data)
		defer b.revoke()
		_, err := c.NewBlockBlobClient(name).Upload(t.Context(), b, &blockblob.UploadOptions{Metadata: meta})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// between is an archive in which something happens before each request for bytes.
type between struct {
	archive
	before func(o Object, off int64) error
}

func (b *between) readAt(ctx context.Context, o Object, p []byte, off int64) error {
	if err := b.before(o, off); err != nil {
		return err
	}
	return b.archive.readAt(ctx, o, p, off)
}

// TestObjectsThatChange: an object is read as it was listed or as it is; nothing is
// put together of both.
func TestObjectsThatChange(t *testing.T) {
	t.Parallel() // it waits most of the time
	long := bytes.Repeat(append(encoded(t, forms["ndjson"], sample(1)), bytes.Repeat([]byte("\n"), 1<<10)...), 2*chunkBytes/(1<<10))
	other := encoded(t, forms["ndjson"], sample(7), sample(8))
	places := map[string]func(t *testing.T) (Config, func(data []byte)){
		"directory": func(t *testing.T) (Config, func([]byte)) {
			cfg := dirConfig(t.TempDir())
			return cfg, func(data []byte) {
				if data == nil {
					if err := os.Remove(filepath.Join(cfg.mustDir(t), "a.ndjson")); err != nil {
						t.Fatal(err)
					}
					return
				}
				writeFile(t, cfg.mustDir(t), "a.ndjson", data)
			}
		},
		"azure": func(t *testing.T) (Config, func([]byte)) {
			server := testenv.Azurite(t)
			cfg := azureConfig(server, server.Addr)
			return cfg, func(data []byte) {
				if data != nil {
					upload(t, cfg, "a.ndjson", data, nil)
					return
				}
				a, err := newAzure(cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer a.close()
				if err := a.do(t.Context(), "delete blob", "a.ndjson", func(c *container.Client) error {
					_, err := c.NewBlobClient("a.ndjson").Delete(t.Context(), nil)
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
		},
	}
	for place, open := range places {
		for name, c := range map[string]struct {
			data   []byte
			at     int64 // before this offset is read
			seqs   string
			reason string
		}{
			"changed before": {other, 0, "[7 8]", ""},
			"gone before":    {nil, 0, "[]", "gone since it was listed"},
			"changed amid":   {other, chunkBytes, "", "changed while it was read"},
			"gone amid":      {nil, chunkBytes, "", "the object "}, // a service may call it changed
		} {
			t.Run(place+"/"+name, func(t *testing.T) {
				cfg, replace := open(t)
				replace(long)
				o := observe(t, cfg, nil)
				done := false
				o.archive = &between{o.archive, func(_ Object, off int64) error {
					if off == c.at && !done {
						done = true
						replace(c.data)
					}
					return nil
				}}
				seqs, unreadable := everything(t, o, query())
				if got := fmt.Sprint(seqs); c.seqs != "" && got != c.seqs {
					t.Errorf("readings %s, want %s", got, c.seqs)
				}
				if !done || !strings.Contains(unreadable["a.ndjson"], c.reason) || (c.reason == "") != (len(unreadable) == 0) {
					t.Errorf("unreadable is %v, want %q", unreadable, c.reason)
				}
			})
		}
	}
}

// TestRequestsAreMadeAgain: what fails for a passing reason is tried again, and no
// reading is handed out twice because of it.
func TestRequestsAreMadeAgain(t *testing.T) {
	t.Parallel() // it waits most of the time
	dir := t.TempDir()
	writeFile(t, dir, "a.ndjson", encoded(t, forms["ndjson"], samples(0, 10)...))
	o := observe(t, dirConfig(dir), nil)
	o.tries = mostTries
	fails := mostTries - 1
	o.archive = &between{o.archive, func(Object, int64) error {
		if fails--; fails >= 0 {
			return fault(failUnknown)
		}
		return nil
	}}
	if seqs, unreadable := everything(t, o, query()); len(seqs) != 10 || len(unreadable) > 0 || o.Costs().Retries != mostTries-1 {
		t.Errorf("readings %v, unreadable %v, costs %+v", seqs, unreadable, o.Costs())
	}
	fails = mostTries
	if err := o.Read(t.Context(), query(), func(validate.Page) error { return nil }); failureOf(err) != failUnknown {
		t.Errorf("a place that does not answer: %v", err)
	}
}
