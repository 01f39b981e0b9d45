package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"
	"pgregory.net/rapid"
)

// FuzzSplit splits whatever clients may send: every payload is JSON, where it
// lies in the body, none has the memory to grow into another, and there are not
// more than allowed.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"[]", "[1, {\"a\":[2]} ,\"\\n\"]", "1\n\n 2 \r\n", "[1", "{}", "\xff"} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, array bool) {
		const most = 5
		how := SplitLines
		if array {
			how = SplitArray
		}
		payloads, err := how.split(body, most, roomy())
		if err != nil {
			if r := (*refusal)(nil); !errors.As(err, &r) || r.status < 400 || r.status >= 500 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if len(payloads) > most {
			t.Fatalf("%d messages", len(payloads))
		}
		for _, p := range payloads {
			if !json.Valid(p) || cap(p) > len(p) {
				t.Fatalf("%q with room for %d", p, cap(p))
			}
		}
		clear(body)
		for _, p := range payloads {
			if !bytes.Equal(p, make([]byte, len(p))) {
				t.Fatalf("%q is a copy", p)
			}
		}
	})
}

// TestSplitIsTheInverseOfTheSinksBodies splits what the sink joins.
func TestSplitIsTheInverseOfTheSinksBodies(t *testing.T) {
	value := rapid.OneOf(
		rapid.Just([]byte(`{"a":[1,2,{"b":null}]}`)),
		rapid.Map(rapid.String(), func(s string) []byte {
			b, err := json.Marshal(s)
			if err != nil {
				panic(err)
			}
			return b
		}),
		rapid.Map(rapid.Float64(), func(v float64) []byte {
			b, err := json.Marshal(map[string]float64{"value": v})
			if err != nil {
				return []byte("0") // no number of JSON
			}
			return b
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		payloads := rapid.SliceOfN(value, 1, 10).Draw(t, "payloads")
		var texts []string
		for _, p := range payloads {
			texts = append(texts, string(p))
		}
		b := batchOf(texts...)
		indexes := make([]int, len(payloads))
		for i := range indexes {
			indexes[i] = i
		}
		for body, how := range map[Body]Split{BodyLines: SplitLines, BodyArray: SplitArray} {
			d := &dispatch{sink: &Sink{config: SinkConfig{Body: body}}, msgs: b.Messages}
			got, err := how.split(d.content(indexes).body, len(payloads), roomy())
			if err != nil {
				t.Fatal(err)
			}
			for i := range payloads {
				if len(got) != len(payloads) || !bytes.Equal(got[i], payloads[i]) {
					t.Fatalf("%s: %q became %q", body, payloads, got)
				}
			}
		}
	})
}

// roomy is a reservation that is never refused.
func roomy() *reservation {
	return &reservation{pending: semaphore.NewWeighted(math.MaxInt64)}
}

// The list of a body's messages is reserved before it is made, and what they do
// not take is given back.
func TestASplitReservesItsMessages(t *testing.T) {
	body := []byte("[" + strings.Repeat("1,", leastPayloads) + "1]")
	const twice = 2 * leastPayloads * messageMemory
	for _, room := range []int64{twice, twice - 1} {
		r := &reservation{pending: semaphore.NewWeighted(room)}
		got, err := SplitArray.split(body, 1000, r)
		if room < twice {
			if status, _ := answerTo(err); err == nil || status != 503 {
				t.Errorf("%d messages in too little room, %v", len(got), err)
			}
		} else if err != nil || len(got) != leastPayloads+1 || r.taken != (leastPayloads+1)*messageMemory {
			t.Errorf("%d messages take %d bytes, %v", len(got), r.taken, err)
		}
	}
}
