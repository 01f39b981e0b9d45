package validatetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// Memory is a side that holds records in memory. Its fields are set before use;
// its methods are safe for concurrent use.
type Memory struct {
	Name string // what String returns; "" is memory
	// PageSize is how many records a page has at most; 0 is 1000.
	PageSize int
	// Has says what the side is; Put and Read do not look at it. Without an Identity
	// it is the name.
	Has validate.Traits
	// Fail decides about each page that is about to be handed out; nil lets all
	// pass. The page is a copy.
	Fail func(validate.Query, validate.Page) error

	mu         sync.Mutex
	closed     bool
	records    []validate.Record
	unreadable []validate.Unreadable
	mark       time.Time
	costs      validate.Costs
}

var _ validate.Expectation = (*Memory)(nil)

// Put stores records, each as it is.
func (m *Memory) Put(rs ...validate.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = append(m.records, rs...)
}

// PutUnreadable stores places that cannot be read, which each query means.
func (m *Memory) PutUnreadable(us ...validate.Unreadable) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unreadable = append(m.unreadable, us...)
}

// SetWatermark sets what Watermark returns.
func (m *Memory) SetWatermark(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mark = at
}

// Watermark implements [validate.Expectation].
func (m *Memory) Watermark(ctx context.Context) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mark, errors.Join(ctx.Err(), m.usable())
}

// Read implements [validate.Side]: in the order of Put.
func (m *Memory) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	chosen, err := m.choose(q)
	if err != nil {
		return err
	}
	size := m.PageSize
	if size == 0 {
		size = 1000
	}
	for len(chosen.Records)+len(chosen.Unreadable) > 0 {
		n := min(size, len(chosen.Records))
		page := validate.Page{Records: chosen.Records[:n], Unreadable: chosen.Unreadable}
		chosen = validate.Page{Records: chosen.Records[n:]}
		if err := m.admit(ctx, q, page); err != nil {
			return err
		}
		if err := take(page); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// choose copies what a query means.
func (m *Memory) choose(q validate.Query) (p validate.Page, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.records {
		if r := &m.records[i]; means(q, r) {
			p.Records = append(p.Records, *r)
		}
	}
	p.Unreadable = slices.Clone(m.unreadable)
	return p, m.usable()
}

func means(q validate.Query, r *validate.Record) bool {
	at := r.At()
	return (q.Device == "" || q.Device == r.Device) && (q.Tag == "" || q.Tag == r.Tag) && !at.Before(q.From) && at.Before(q.To)
}

// admit says whether a page may be handed out, and counts it.
func (m *Memory) admit(ctx context.Context, q validate.Query, p validate.Page) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.Fail != nil {
		if err := m.Fail(q, p); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.costs.Requests++
	m.costs.Readings += int64(len(p.Records))
	return m.usable()
}

// usable fails when the side is closed. The caller holds mu.
func (m *Memory) usable() error {
	if m.closed {
		return errors.New("the side is closed")
	}
	return nil
}

// Traits implements [validate.Side].
func (m *Memory) Traits() validate.Traits {
	t := m.Has
	if t.Identity == "" {
		t.Identity = m.String()
	}
	return t
}

// Costs implements [validate.Side].
func (m *Memory) Costs() validate.Costs {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.costs
}

// String implements [validate.Side].
func (m *Memory) String() string {
	if m.Name == "" {
		return "memory"
	}
	return m.Name
}

// Close implements [validate.Side]. Idempotent.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
