package validate_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// start is where the tests' readings begin: a full hour.
var start = time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)

// memory is a side in memory, and an expectation.
type memory struct {
	name      string
	records   []validate.Record // in the order in which they are handed out
	traits    validate.Traits
	watermark time.Time
	perPage   int

	unreadable []validate.Unreadable
	onRead     func(n int, q validate.Query) error // n counts from 1

	mu      sync.Mutex
	queries []validate.Query
	read    atomic.Int64
}

func (m *memory) String() string          { return m.name }
func (m *memory) Traits() validate.Traits { return m.traits }
func (m *memory) Close() error            { return nil }
func (m *memory) Costs() validate.Costs   { return validate.Costs{Readings: m.read.Load()} }

func (m *memory) Watermark(context.Context) (time.Time, error) { return m.watermark, nil }

func (m *memory) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	m.mu.Lock()
	m.queries = append(m.queries, q)
	n, onRead := len(m.queries), m.onRead
	m.mu.Unlock()
	if onRead != nil {
		if err := onRead(n, q); err != nil {
			return err
		}
	}
	var page []validate.Record
	give := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := take(validate.Page{Records: page})
		for i := range page { // a page is valid until take returns
			page[i] = validate.Record{Reading: reading.Reading{Device: "overwritten", Tag: "overwritten"}}
		}
		page = page[:0]
		return err
	}
	for _, r := range m.records {
		at := r.At()
		if at.Before(q.From) || !at.Before(q.To) || q.Device != "" && q.Device != r.Device || q.Tag != "" && q.Tag != r.Tag {
			continue
		}
		m.read.Add(1)
		if page = append(page, r); len(page) >= max(m.perPage, 1) {
			if err := give(); err != nil {
				return err
			}
		}
	}
	if err := give(); err != nil {
		return err
	}
	if len(m.unreadable) > 0 {
		return take(validate.Page{Unreadable: m.unreadable})
	}
	return ctx.Err()
}

// plant returns readings of devices, tags, and a number of each, evenly over a time.
func plant(devices, tags, n int, over time.Duration) []validate.Record {
	var records []validate.Record
	step := over / time.Duration(n)
	seq := make([]uint64, devices)
	for i := range n {
		for d := range devices {
			for t := range tags {
				seq[d]++
				r := reading.Reading{
					Site: "plant1", Line: "line2", Device: fmt.Sprintf("press%d", d), Tag: fmt.Sprintf("tag%d", t), Quality: "good",
					Time: start.Add(time.Duration(i)*step + time.Duration(d*7919+t)*time.Microsecond).UnixNano(), Seq: seq[d],
					Value: reading.OfFloat(float64(i) + .1),
				}
				records = append(records, validate.Record{Reading: r, Place: validate.Place{Object: "memory", Position: int64(len(records) + 1)}})
			}
		}
	}
	return records
}

// job compares two lists over some hours, all of which are judged.
func job(e, o []validate.Record, hours int) validate.Job {
	options := validate.DefaultOptions()
	options.Rules.Tolerate = nil
	to := start.Add(time.Duration(hours) * time.Hour)
	return validate.Job{
		Options: options, ExpectName: "truth", ObserveName: "copy", From: start, To: to,
		Expect:  &memory{name: "the truth", records: e, watermark: to.Add(options.Lateness), perPage: 100},
		Observe: &memory{name: "the copy", records: o, perPage: 100},
	}
}
