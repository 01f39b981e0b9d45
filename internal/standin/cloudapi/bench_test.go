package cloudapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// batchOf is the n-th batch of 1,000 readings of a device with 10 tags.
func batchOf(device string, n int, rs []reading.Reading) []reading.Reading {
	rs = rs[:0]
	for i := range 1000 {
		seq := n*1000 + i
		rs = append(rs, reading.Reading{
			Site: "plant1", Line: "line2", Device: device, Tag: "tag" + strconv.Itoa(i%10), Time: 1_795_230_245e9 + int64(seq/10)*1e9,
			Value: reading.OfFloat(20 + float64(seq%977)/8), Quality: "good", Seq: uint64(seq),
		})
	}
	return rs
}

// deliverBatches sends n batches of 50 devices in turn, over HTTP.
func deliverBatches(b *testing.B, a *api, n int) {
	var rs []reading.Reading
	var frame []byte
	for i := range n {
		device := fmt.Sprintf("device%04d", i%50)
		rs = batchOf(device, i/50, rs)
		var err error
		if frame, err = batch.Append(frame[:0], batch.JSONGzip(), device, uint64(i/50)+1, rs); err != nil {
			b.Fatal(err)
		}
		r := a.request(b, "POST", "/v1/batches", batch.ContentType, frame)
		r.Header.Set("Authorization", "Bearer "+a.token(b, ScopeWrite))
		a.send(b, r).took(b, 1000, 0)
	}
}

// BenchmarkDeliver sends batches of 1,000 readings one after the other; each is
// made, encoded and then answered when it is on disk.
func BenchmarkDeliver(b *testing.B) {
	a := start(b, Options{Data: b.TempDir()})
	a.token(b, ScopeWrite)
	b.ResetTimer()
	deliverBatches(b, a, b.N)
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkPages reads a million readings in pages, over HTTP, without decoding
// them, and tells how much memory is in use after that.
func BenchmarkPages(b *testing.B) {
	a := start(b, Options{Data: b.TempDir()})
	deliverBatches(b, a, 1000)
	for b.Loop() {
		parameters := url.Values{"limit": {"10000"}}
		for n := 0; ; {
			r := a.request(b, "GET", "/v1/readings?"+parameters.Encode(), "", nil)
			r.Header.Set("Authorization", "Bearer "+a.token(b, ScopeRead))
			next, got := countPage(b, a, r)
			if n += got; next == "" {
				if n != 1_000_000 {
					b.Fatalf("%d readings", n)
				}
				break
			}
			parameters.Set("cursor", next)
		}
	}
	b.ReportMetric(float64(b.N)*1e6/b.Elapsed().Seconds(), "readings/s")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-from-OS")
}

// countPage reads a page and looks for its end only.
func countPage(b *testing.B, a *api, r *http.Request) (next string, readings int) {
	resp, err := a.http.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("answer %d %s, error %v", resp.StatusCode, body, err)
	}
	end := bytes.LastIndex(body, []byte(`],"next":`))
	var rest struct{ Next *string }
	if err := json.Unmarshal(append([]byte("{"), body[end+2:]...), &rest); err != nil {
		b.Fatal(err)
	}
	if rest.Next != nil {
		next = *rest.Next
	}
	return next, bytes.Count(body, []byte(`"ts":`))
}
