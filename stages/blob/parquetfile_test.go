package blob

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// groups returns a file of the sink's with row groups of some rows.
func groups(t testing.TB, rows int64, rs ...reading.Reading) []byte {
	t.Helper()
	e := newParquetEncoder(Plain)
	e.writer = parquet.NewGenericWriter[any](&e.out, readingSchema, parquet.Compression(Plain.codec()), parquet.MaxRowsPerRowGroup(rows))
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

// long is readings whose texts take a kilobyte each.
func long(n int) []reading.Reading {
	rs := samples(0, n)
	for i := range rs {
		rs[i].Value = reading.OfText(strings.Repeat(fmt.Sprintf("%08d", i), 128))
	}
	return rs
}

// TestHashOfLargeParquet: of a file that is not held as a whole all bytes are hashed,
// also those of rows that are not wanted, and each is fetched once.
func TestHashOfLargeParquet(t *testing.T) {
	server := testenv.Azurite(t)
	const n, each = 2000, 200
	data := groups(t, each, long(n)...)
	at := func(i int) time.Time { return validatetest.Noon.Add(time.Duration(i) * time.Second) }
	everywhere := validate.Query{From: at(0), To: at(n)}
	for name, c := range map[string]struct {
		hash  string
		flip  int // where a bit is other than stored
		query validate.Query
		first int // reading, and how many
		n     int
		wrong bool
	}{
		"as stored":           {query: everywhere, n: n},
		"a part":              {query: validate.Query{From: at(each), To: at(2*each + 1)}, first: each, n: each + 1},
		"other hash":          {hash: contentHash(nil), query: everywhere, n: n, wrong: true},
		"flipped, not wanted": {flip: len(data) / 2, query: validate.Query{From: at(each), To: at(2 * each)}, first: each, n: each, wrong: true},
		"flipped, at the end": {flip: len(data) - tailBytes - 1, query: validate.Query{From: at(each), To: at(2 * each)}, first: each, n: each, wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			sink := azureConfig(server, server.Addr)
			stored := bytes.Clone(data)
			if c.flip > 0 {
				stored[c.flip] ^= 1
			}
			hash := contentHash(data)
			if c.hash != "" {
				hash = c.hash
			}
			upload(t, sink, "a.parquet", stored, map[string]*string{metaHash: &hash})
			o := observe(t, sink, func(c *ObservationConfig) { c.Memory = 2 * feed.MiB })
			seqs, unreadable := everything(t, o, c.query)
			slices.Sort(seqs)
			if len(seqs) != c.n || int(seqs[0]) != c.first || int(seqs[c.n-1]) != c.first+c.n-1 {
				t.Errorf("%d readings, want %d from %d on", len(seqs), c.n, c.first)
			}
			if told := strings.Contains(unreadable["a.parquet"], "the stored hash differs"); told != c.wrong || len(unreadable) > 1 {
				t.Errorf("unreadable is %v", unreadable)
			}
			if read := o.Costs().Bytes; read != int64(len(data)+tailBytes) {
				t.Errorf("%d bytes are fetched, of %d and the %d with the metadata", read, len(data), tailBytes)
			}
		})
	}
}

// TestMetadataIsBounded: what is made of metadata has its place in memory while a file
// is read, and metadata for which there is none is refused.
func TestMetadataIsBounded(t *testing.T) {
	dir := t.TempDir()
	data := groups(t, 10, samples(1, 100)...)
	writeFile(t, dir, "a.parquet", data)
	o := observe(t, dirConfig(dir), func(c *ObservationConfig) { c.Memory = feed.MiB })
	metadata := int64(binary.LittleEndian.Uint32(data[len(data)-parquetEnd:])) + parquetEnd
	most, held := o.memory.metadata.most, metadata*metadataFactor
	requests := 0
	o.archive = &between{o.archive, func(Object, int64) error {
		if requests++; requests != 2 {
			return nil
		}
		free := o.memory.metadata.free
		if free.TryAcquire(most - held + 1) {
			t.Errorf("with %d bytes of metadata more than %d of %d are free", metadata, most-held, most)
		} else if !free.TryAcquire(most - held) {
			t.Errorf("with %d bytes of metadata less than %d of %d are free", metadata, most-held, most)
		} else {
			free.Release(most - held)
		}
		return nil
	}}
	if seqs, unreadable := everything(t, o, query()); len(seqs) != 100 || len(unreadable) > 0 || requests != 2 {
		t.Errorf("%d readings by %d requests, unreadable %v", len(seqs), requests, unreadable)
	}
	if !o.memory.metadata.free.TryAcquire(most) {
		t.Error("metadata is held when all is read")
	}
	writeFile(t, dir, "a.parquet", groups(t, 1, samples(1, 100)...))
	if seqs, unreadable := everything(t, observe(t, dirConfig(dir), func(c *ObservationConfig) { c.Memory = feed.MiB }), query()); len(seqs) > 0 || !strings.Contains(unreadable["a.parquet"], "raise memory") {
		t.Errorf("metadata for which there is no room: %d readings, unreadable %v", len(seqs), unreadable)
	}
}
