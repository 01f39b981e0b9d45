package cloudapi

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// FuzzDecodePage: what is decoded is what encoding/json sees, and nothing is handed
// out of what is no page.
func FuzzDecodePage(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `[]`, `{"readings":[],"next":null}`, `{"next":"a","readings":[1,{"a":[2]},"]"]}`, `{"readings":[],"next":""}`, `{"readings":{},"next":null}`,
		`{"readings":[],"readings":[],"next":null}`, ` { "readings" : [ 1 , 2 ] , "next" : "\u0061\n" , "other" : { "next" : "b" } } `, `{"readings":[1],"next":null}x`,
		`{"Readings":[],"Next":null}`, "{\"readings\":[\"\xff\"],\"next\":null}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got []string
		next, err := decodePage(body, func(raw []byte) error {
			got = append(got, string(raw))
			return nil
		})
		if err != nil {
			if len(got) > 0 || next != "" {
				t.Fatalf("%q: %q, %q were handed out with %v", body, got, next, err)
			}
			return
		}
		if !utf8.Valid(body) {
			t.Fatalf("%q is no UTF-8", body)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		var want []json.RawMessage
		if err := json.Unmarshal(members["readings"], &want); err != nil || len(want) != len(got) {
			t.Fatalf("%q: %q, want %q, %v", body, got, want, err)
		}
		for i := range want {
			if got[i] != string(want[i]) {
				t.Fatalf("%q: %q, want %q", body, got, want)
			}
		}
		var cursor *string
		if err := json.Unmarshal(members["next"], &cursor); err != nil || (cursor == nil) != (next == "") || cursor != nil && *cursor != next {
			t.Fatalf("%q: next is %q, want %v, %v", body, next, cursor, err)
		}
	})
}

// TestSplit: parts make up the whole, without a gap or an overlap.
func TestSplit(t *testing.T) {
	hour := int64(time.Hour)
	for _, tt := range []struct {
		first, last int64
		n, want     int
	}{
		{0, 0, 4, 1}, {0, hour - 1, 4, 1}, {0, 2*hour + 1, 4, 2}, {0, 100 * hour, 4, 4}, {-100 * hour, 100 * hour, 7, 7},
		{math.MinInt64, math.MaxInt64, 4, 4}, {math.MinInt64, math.MinInt64, 4, 1}, {math.MaxInt64 - 5*hour, math.MaxInt64, 32, 5}, {0, 100 * hour, 1, 1},
	} {
		whole := span{device: "d", tag: "t", first: tt.first, last: tt.last}
		parts := whole.split(tt.n)
		if len(parts) != tt.want || parts[0].first != tt.first || parts[len(parts)-1].last != tt.last {
			t.Errorf("%+v: %+v", tt, parts)
		}
		for i, p := range parts {
			if p.device != "d" || p.tag != "t" || p.first > p.last {
				t.Errorf("%+v: part %+v", tt, p)
			}
			if i > 0 && p.first != parts[i-1].last+1 {
				t.Errorf("%+v: parts %+v", tt, parts)
			}
		}
	}
}

// TestParameters: bounds that no reading can exceed are left out.
func TestParameters(t *testing.T) {
	for q, want := range map[validate.Query]string{
		{From: noon, To: noon.Add(1500), Device: "a b", Tag: "ü&"}:           "device=a+b&from=2026-11-21T12%3A00%3A00Z&limit=7&tag=%C3%BC%26&to=2026-11-21T12%3A00%3A00.0000015Z",
		{From: noon.AddDate(-900, 0, 0), To: noon.AddDate(900, 0, 0)}:        "limit=7",
		{From: time.Unix(0, math.MinInt64), To: time.Unix(0, math.MaxInt64)}: "limit=7&to=2262-04-11T23%3A47%3A16.854775807Z",
	} {
		s, ok := rangeOf(q)
		if got := s.parameters(7).Encode(); !ok || got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
}

// BenchmarkPage decodes pages of 10,000 readings, as they come from the API.
func BenchmarkPage(b *testing.B) {
	rs := make([]reading.Reading, 10_000)
	for i := range rs {
		rs[i] = reading.Reading{
			Site: "plant1", Line: "line2", Device: fmt.Sprintf("device%04d", i%50), Tag: fmt.Sprintf("tag%d", i%10), Time: noon.UnixNano() + int64(i)*1e6,
			Value: reading.OfFloat(20 + float64(i%977)/8), Quality: "good", Seq: uint64(i),
		}
	}
	body := []byte(pageOf("null", rs...))
	w := newWalk(nil, span{first: math.MinInt64, last: math.MaxInt64}, 10_000)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		w.known, w.records = false, w.records[:0]
		if _, err := decodePage(body, func(raw []byte) error {
			r, err := w.parser.Parse(raw)
			if err != nil {
				return err
			}
			_, err = w.follow(&r)
			w.records = append(w.records, validate.Record{Reading: r})
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rs)), "ns/reading")
}

// BenchmarkRead reads a million readings of twelve hours from the API, which runs
// in the same process, with several requests at a time.
func BenchmarkRead(b *testing.B) {
	a := startAPI(b, nil)
	const n, each = 1_000_000, 50_000
	for first := 0; first < n; first += each {
		rs := make([]reading.Reading, each)
		for i := range rs {
			k := first + i
			rs[i] = reading.Reading{
				Site: "plant1", Line: "line2", Device: fmt.Sprintf("device%04d", k%50), Tag: fmt.Sprintf("tag%d", k%500/50), Time: noon.UnixNano() + int64(k/500)*int64(12*time.Hour)/(n/500),
				Value: reading.OfFloat(20 + float64(k%977)/8), Quality: "good", Seq: uint64(k),
			}
		}
		a.put(b, rs...)
	}
	for _, parallel := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			c := configOf(a.URL())
			c.Parallel = parallel
			e := openExpectation(b, c)
			for b.Loop() {
				got := 0
				if err := e.Read(b.Context(), validate.Query{From: noon, To: noon.Add(12 * time.Hour)}, func(p validate.Page) error {
					got += len(p.Records)
					return nil
				}); err != nil || got != n {
					b.Fatalf("%d readings, %v", got, err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
