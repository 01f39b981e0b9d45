package validate_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// start is where the tests' readings begin: a full hour.
var start = time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)

// memory is a side in memory that tells what it was asked for, and hands out pages
// that are overwritten as soon as they may be, with all the texts in them.
type memory struct {
	validatetest.Memory
	onRead func(n int, q validate.Query) error // n counts from 1

	mu      sync.Mutex
	queries []validate.Query
}

func (m *memory) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	m.mu.Lock()
	m.queries = append(m.queries, q)
	n := len(m.queries)
	m.mu.Unlock()
	if m.onRead != nil {
		if err := m.onRead(n, q); err != nil {
			return err
		}
	}
	return m.Memory.Read(ctx, q, func(p validate.Page) error {
		var buffers [][]byte
		transient := func(s *string) {
			if len(*s) > 0 {
				b := []byte(*s)
				buffers = append(buffers, b)
				*s = unsafe.String(&b[0], len(b))
			}
		}
		for i := range p.Records {
			r := &p.Records[i]
			for _, s := range []*string{&r.Site, &r.Line, &r.Device, &r.Tag, &r.Quality, &r.Place.Object} {
				transient(s)
			}
			if text := r.Value.Text(); text != "" {
				transient(&text)
				r.Value = reading.OfText(text)
			}
		}
		err := take(p)
		for i := range p.Records {
			p.Records[i] = validate.Record{}
		}
		for _, b := range buffers {
			for i := range b {
				b[i] = '#'
			}
		}
		return err
	})
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

// pair is a job whose sides are at hand.
type pair struct {
	validate.Job
	e, o *memory
}

// job compares two lists over some hours, all of which can be judged.
func job(e, o []validate.Record, hours int) *pair {
	options := validate.DefaultOptions()
	options.Rules.Tolerate = nil
	to := start.Add(time.Duration(hours) * time.Hour)
	p := &pair{e: &memory{}, o: &memory{}}
	p.e.Name, p.o.Name = "the truth", "the copy"
	p.e.PageSize, p.o.PageSize = 100, 100
	p.e.Put(slices.Clone(e)...)
	p.o.Put(slices.Clone(o)...)
	p.e.SetWatermark(to.Add(options.Lateness))
	p.Job = validate.Job{Options: options, ExpectName: "truth", ObserveName: "copied", From: start, To: to, Expect: p.e, Observe: p.o}
	return p
}
