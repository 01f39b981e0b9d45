package repair

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Records are the readings of a side that may be missing, as messages: each has the
// JSON form of a reading, and its routing key as topic, as unpacked batches have.
type Records struct {
	side    validate.Side
	missing *Missing
	window  time.Duration
	step    time.Duration

	mu         sync.Mutex
	unreadable map[string]error // why, by place; at most maxUnreadable
}

var errUnreadable = errors.New("it is no reading")

// maxUnreadable is how many places are told that could not be read.
const maxUnreadable = 10

// NewRecords returns what a side has of what is missing. The side is the caller's to
// close. A side that does not keep readings as they were is refused: what it has is
// not what was lost. Of a selective side the tags and times are read at which
// something is missing, with gaps of less than a window; another one is read once,
// from the first missing reading to the last. Times that readings are known by were
// rounded down to multiples of step.
func NewRecords(side validate.Side, missing *Missing, window, step time.Duration) (*Records, error) {
	t := side.Traits()
	var lacks []string
	if t.TimeStep > 1 {
		lacks = append(lacks, fmt.Sprintf("times finer than %s", t.TimeStep))
	}
	if lacks = append(lacks, t.Lost...); len(lacks) > 0 {
		return nil, fmt.Errorf("%s does not keep %s: what it has is not what was lost, and repairs nothing", side, strings.Join(lacks, ", "))
	}
	return &Records{side: side, missing: missing, window: window, step: max(step, 1), unreadable: map[string]error{}}, nil
}

// Unreadable says which places of the side could not be read, nil when there were
// none: what is missing may stand there. Call it when the repair from the side has
// ended.
func (r *Records) Unreadable() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, place := range slices.Sorted(maps.Keys(r.unreadable)) {
		errs = append(errs, fmt.Errorf("%s cannot be read: %w", place, r.unreadable[place]))
	}
	return errors.Join(errs...)
}

func (r *Records) passOver(us []validate.Unreadable) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range us {
		u := us[i]
		if len(r.unreadable) == maxUnreadable {
			return
		}
		if u.Err == nil { // not every side knows
			u.Err = errUnreadable
		}
		r.unreadable[u.Place.String()] = u.Err
	}
}

var _ feed.BatchSubscriber = (*Records)(nil)

// SubscribeBatch implements [feed.BatchSubscriber]: it begins anew.
func (r *Records) SubscribeBatch(context.Context, string) (feed.Subscription, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &recordSubscription{records: r, pages: make(chan []validate.Record), cancel: cancel}
	s.reader.Go(func() {
		defer close(s.pages)
		s.err = r.read(ctx, s.pages)
	})
	return s, nil
}

// read hands out the pages of all queries.
func (r *Records) read(ctx context.Context, pages chan<- []validate.Record) error {
	for q, err := range r.queries(ctx) {
		if err != nil {
			return err
		}
		err := r.side.Read(ctx, q, func(p validate.Page) error {
			r.passOver(p.Unreadable)
			if len(p.Records) == 0 {
				return nil
			}
			select {
			case pages <- append([]validate.Record(nil), p.Records...): // a page is valid until take returns
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// queries says what to read.
func (r *Records) queries(ctx context.Context) func(func(validate.Query, error) bool) {
	return func(yield func(validate.Query, error) bool) {
		if !r.side.Traits().Selective {
			if first, last, ok := r.missing.span(); ok {
				yield(r.query("", "", first, last), nil)
			}
			return
		}
		var device, tag string
		var first, last int64
		begun := false
		for e, err := range r.missing.All(ctx) {
			if err != nil {
				yield(validate.Query{}, err)
				return
			}
			switch {
			case e.Fate == Sent:
				continue
			case begun && e.Device == device && e.Tag == tag && e.Time-last < int64(r.window):
				last = e.Time
				continue
			case begun && !yield(r.query(device, tag, first, last), nil):
				return
			}
			device, tag, first, last, begun = e.Device, e.Tag, e.Time, e.Time, true
		}
		if begun {
			yield(r.query(device, tag, first, last), nil)
		}
	}
}

// query is for a tag, or for all, between times that readings are known by.
func (r *Records) query(device, tag string, first, last int64) validate.Query {
	return validate.Query{Device: device, Tag: tag, From: time.Unix(0, first), To: time.Unix(0, last).Add(r.step)}
}

// recordSubscription hands out what a reader reads.
type recordSubscription struct {
	records *Records
	pages   chan []validate.Record
	cancel  context.CancelFunc
	reader  sync.WaitGroup
	err     error // of the reader, once pages is closed
	page    []validate.Record
	tag     uint64
}

// Receive implements [feed.Subscription].
func (s *recordSubscription) Receive(ctx context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	if len(s.page) == 0 {
		select {
		case page, more := <-s.pages:
			if !more {
				if s.err != nil {
					return dst, s.err
				}
				return dst, io.EOF
			}
			s.page = page
		case <-ctx.Done():
			return dst, ctx.Err()
		}
	}
	n := min(limit, len(s.page))
	for i := range s.page[:n] {
		s.tag++
		dst = append(dst, feed.Delivery{Message: messageOf(&s.page[i].Reading), Tag: s.tag})
	}
	s.page = s.page[n:]
	return dst, nil
}

func messageOf(r *reading.Reading) *message.Message {
	id := fmt.Sprintf("%s/%s/%d/%d", r.Device, r.Tag, r.Time, r.Seq)
	m := message.NewMessage(id, r.AppendJSON(nil))
	m.Metadata[feed.MetaTopic] = string(r.AppendRoutingKey(nil))
	m.Metadata[feed.MetaTime] = string(r.AppendTime(nil))
	m.Metadata[feed.MetaContentType] = "application/json"
	return m
}

// Settle implements [feed.Subscription]. A side is not told anything.
func (s *recordSubscription) Settle(context.Context, []feed.Settlement) error { return nil }

// Close ends reading, and waits for it.
func (s *recordSubscription) Close() error {
	s.cancel()
	s.reader.Wait()
	return nil // why reading ended early was returned already, or it is because of this
}
