package ledger

import (
	"fmt"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
)

// anEnded draws a record that may have anything in common with others.
func anEnded(t *rapid.T) feed.Ended {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "press7/12/00ff/1", "press7/12/00ff/2", "kraft/x", strings.Repeat("long", 300)}), rapid.String())
	e := feed.Ended{
		ID: text.Draw(t, "id"), Topic: text.Draw(t, "topic"),
		Outcome: feed.Outcome(rapid.IntRange(int(feed.Delivered), int(feed.Returned)).Draw(t, "outcome")), Reason: text.Draw(t, "reason"),
		DeliveryID: text.Draw(t, "delivery"), DeliveryTopic: text.Draw(t, "delivery topic"), Tag: rapid.Uint64().Draw(t, "tag"),
		Received: time.Unix(0, rapid.Int64().Draw(t, "received")), Done: time.Unix(0, rapid.Int64().Draw(t, "done")),
	}
	switch rapid.IntRange(0, 3).Draw(t, "payload") {
	case 0:
		e.Payload = []byte(text.Draw(t, "bytes"))
	case 1:
		r := aReading(t)
		e.Payload = r.AppendJSON(nil)
	case 2:
		r := aReading(t)
		e.DeliveryPayload = r.AppendJSON(nil)
	case 3:
		e.Payload = []byte(`{"device":"no reading"}`)
	}
	for range rapid.IntRange(0, 3).Draw(t, "places") {
		e.Places = append(e.Places, feed.Place{Object: text.Draw(t, "object"), Position: rapid.Int64().Draw(t, "position")})
	}
	return e
}

func aReading(t *rapid.T) reading.Reading {
	name := rapid.SampledFrom([]string{"press7", "temperature", "Maß", `with "quotes"`})
	return reading.Reading{
		Device: name.Draw(t, "device"), Tag: name.Draw(t, "tag"), Time: rapid.Int64Range(-1<<62, 1<<62).Draw(t, "time"),
		Value: reading.OfInt(1), Quality: "good", Seq: rapid.Uint64().Draw(t, "seq"),
	}
}

// wanted is what is to be read of a record.
func wanted(hop *feed.Hop, e *feed.Ended) Entry {
	want := Entry{
		Feed: hop.Feed, Route: hop.Route, Source: hop.Source, Sink: hop.Sink, From: hop.From, To: hop.To,
		ID: cut(e.ID), Topic: cut(e.Topic), Size: len(e.Payload), Digest: fmt.Sprintf("%08x", crc32.Checksum(e.Payload, crc32.MakeTable(crc32.Castagnoli))),
		DeliveryID: cut(e.DeliveryID), DeliveryTopic: cut(e.DeliveryTopic), DeliveryTag: e.Tag, Received: e.Received.UTC(),
		Outcome: e.Outcome.String(), Reason: cut(e.Reason), Done: e.Done.UTC(),
	}
	for _, p := range e.Places {
		want.Places = append(want.Places, feed.Place{Object: cut(p.Object), Position: p.Position})
	}
	if hop.Offsets {
		offset := e.Tag - 1
		want.Offset = &offset
	}
	for _, payload := range [][]byte{e.Payload, e.DeliveryPayload} {
		if r, err := new(reading.Parser).Parse(payload); err == nil && want.Reading == nil {
			want.Reading = &Identity{r.Device, r.Tag, r.Time, r.Seq}
		}
	}
	return want
}

// TestReadingsAreFound: also with more members than they have, and in any order.
func TestReadingsAreFound(t *testing.T) {
	for payload, want := range map[string]string{
		`{"device":"d","tag":"t","ts":"2026-01-01T00:00:00Z","value":1,"quality":"good","seq":7}`:                              `d t 2026-01-01T00:00:00Z 7`,
		"{ \"more\": [1, {\"seq\": 1}], \"seq\": 18446744073709551615, \"ts\": \"now\", \"tag\": \"a\\u0062\", \"device\": 5}": `5 ab now 18446744073709551615`,
		`{"device":"d","tag":"t","ts":"2026-01-01T00:00:00Z","value":1}`:                                                       ``,
		`{"device":"d","tag":"t","ts":"2026-01-01T00:00:00Z","seq":-1}`:                                                        ``,
		`{"device":"d","tag":"t","ts":"2026-01-01T00:00:00Z","seq":18446744073709551616}`:                                      ``,
		`{"device":{},"tag":"t","ts":"2026-01-01T00:00:00Z","seq":1}`:                                                          ``,
		`{"device":"` + strings.Repeat("d", mostText+1) + `","tag":"t","ts":"","seq":1}`:                                       ``,
		`{"site":"s","device":"d","tag":"t","ts":"now","value":-1.5e+3,"quality":"","seq":1,"pad":"x"}`:                        `d t now 1`,
		`{"line":"s","device":"d","tag":"t","ts":"now","value":true,"quality":"","seq":1}`:                                     `d t now 1`,
		`{"device":"d\n","tag":"t","ts":"now","value":1,"quality":"","seq":1}`:                                                 "d\n t now 1",
		`{"device":"d","tag":"t","ts":"now","value":1,"quality":"","seq":1.5}`:                                                 ``,
		`["device"]`: ``, `{"device":`: ``, `{`: ``, ``: ``,
	} {
		var i identifier
		got := ""
		if id, ok := i.find([]byte(payload)); ok {
			got = fmt.Sprintf("%s %s %s %d", id.series[:id.device], id.series[id.device:], id.time, id.seq)
		}
		if got != want {
			t.Errorf("%.100s: found %q, want %q", payload, got, want)
		}
	}
}

// TestBlocksAreReadAsWritten is a property of all records.
func TestBlocksAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hop := &feed.Hop{Feed: "f", Route: "r", Source: "amqp", Sink: "mqtt", From: "here", To: rapid.String().Draw(t, "to"), Offsets: rapid.Bool().Draw(t, "offsets")}
		b, r := newBuilder(hop), &rows{}
		for range 2 { // a builder and a reader are used again
			ended := rapid.SliceOfN(rapid.Custom(anEnded), 1, 20).Draw(t, "records")
			if len(ended) > 1 && rapid.Bool().Draw(t, "same delivery") {
				first := ended[0]
				e := &ended[1]
				e.DeliveryID, e.DeliveryTopic, e.Tag, e.Received = first.DeliveryID, first.DeliveryTopic, first.Tag, first.Received
			}
			for i := range ended {
				b.add(&ended[i])
			}
			made := b.cut(nil)
			if err := r.begin(made.raw, made.rows); err != nil {
				t.Fatal(err)
			}
			for i := range ended {
				if more, err := r.next(); !more || err != nil {
					t.Fatalf("record %d of %d: %v, %v", i, len(ended), more, err)
				}
				if got, want := r.entry(), wanted(hop, &ended[i]); !reflect.DeepEqual(got, want) {
					t.Fatalf("read\n%+v\nwant\n%+v", got, want)
				}
				if nanos := ended[i].Received.UnixNano(); nanos < made.from || ended[i].Done.UnixNano() > made.to {
					t.Fatalf("the block is of %d to %d, a record is not", made.from, made.to)
				}
			}
			if more, err := r.next(); more || err != nil {
				t.Fatalf("after the last: %v, %v", more, err)
			}
		}
	})
}

// FuzzSegment reads anything: it must end, without a panic, and account for each
// byte.
func FuzzSegment(f *testing.F) {
	b := newBuilder(&feed.Hop{Feed: "f", Route: "r"})
	for i := range 5 {
		b.add(&feed.Ended{ID: fmt.Sprint("press7/1/", i), Outcome: feed.Delivered, Payload: []byte(`{"device":"d","tag":"t","ts":"2026-01-01T00:00:00Z","value":1,"quality":"good","seq":1}`), Places: []feed.Place{{Object: "o", Position: 1}}})
	}
	made := b.cut(nil)
	raw := append(appendHead(nil), made.raw...)
	seal(raw, &made)
	f.Add([]byte(segmentMagic+string(raw)+string(raw)), made.raw, made.rows)
	f.Add([]byte(segmentMagic), []byte{}, 0)
	f.Fuzz(func(t *testing.T, data, records []byte, n int) {
		read := int64(0)
		unreadable, err := frames(data, func(f frame) error {
			read += int64(headBytes + len(f.body))
			return nil
		})
		if err != nil || unreadable+read > int64(len(data)) || unreadable+read < int64(len(data)-len(segmentMagic)) {
			t.Errorf("%d bytes read, %d not, of %d: %v", read, unreadable, len(data), err)
		}
		r := &rows{}
		if r.begin(records, max(n, 0)%1000) != nil {
			return
		}
		for more := true; more; {
			if more, err = r.next(); err != nil {
				return
			}
			if e := r.entry(); more && e.Outcome == "" {
				t.Errorf("a record without outcome: %+v", e)
			}
		}
	})
}
