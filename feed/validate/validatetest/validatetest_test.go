package validatetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// overMemory returns a side over what m holds; change, when not nil, puts
// something in front of it.
func overMemory(m *Memory, change func(*Memory) validate.Side) SideUnderTest {
	var down atomic.Bool
	m.Fail = func(validate.Query, validate.Page) error {
		if down.Load() {
			return errors.New("the memory is down")
		}
		return nil
	}
	var arrived atomic.Int64
	put := func(_ testing.TB, rs ...reading.Reading) {
		for _, r := range rs {
			record := validate.Record{Reading: keptOf(m.Has, r), Place: validate.Place{Object: "memory"}}
			if m.Has.Arrival {
				record.Arrived = arrived.Add(1)
			}
			m.Put(record)
		}
	}
	s := SideUnderTest{
		Side: m, Put: put,
		PutUnreadable: func(testing.TB) {
			m.PutUnreadable(validate.Unreadable{Place: validate.Place{Object: "memory"}, Err: errors.New("nothing that is known")})
		},
		Down: func(testing.TB) { down.Store(true) }, Up: func(testing.TB) { down.Store(false) },
		Others: []validate.Side{&Memory{Name: "another"}},
		Secret: "s3cret",
	}
	if !m.Has.Unique {
		s.PutTwice = func(t testing.TB, r reading.Reading) { put(t, r, r) }
	}
	if change != nil {
		s.Side = change(m)
	}
	return s
}

func TestMemoryConforms(t *testing.T) {
	for name, has := range map[string]validate.Traits{
		"All":  {Selective: true, Ordered: true, Arrival: true},
		"Less": {Unique: true, TimeStep: time.Microsecond, Lost: []string{"site", "line", "quality"}},
	} {
		t.Run(name, func(t *testing.T) {
			TestSide(t, func(*testing.T) SideUnderTest { return overMemory(&Memory{Has: has, PageSize: 100}, nil) })
		})
	}
}

func TestMemoryAsExpectation(t *testing.T) {
	var m Memory
	if at, err := m.Watermark(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("watermark %v, %v, want none", at, err)
	}
	m.SetWatermark(Noon)
	if at, err := m.Watermark(t.Context()); err != nil || !at.Equal(Noon) {
		t.Errorf("watermark %v, %v, want noon", at, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.Watermark(t.Context()); err == nil {
		t.Error("a closed side has a watermark")
	}
}

// changed is a side that does one thing wrong.
type changed struct {
	*Memory
	read func(context.Context, validate.Query, func(validate.Page) error) error
	is   func(validate.Traits) validate.Traits
}

func (c *changed) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	if c.read == nil {
		return c.Memory.Read(ctx, q, take)
	}
	return c.read(ctx, q, take)
}

func (c *changed) Traits() validate.Traits {
	if c.is == nil {
		return c.Memory.Traits()
	}
	return c.is(c.Memory.Traits())
}

// onTraits changes what a side says of itself.
func onTraits(is func(validate.Traits) validate.Traits) func(*Memory) validate.Side {
	return func(m *Memory) validate.Side { return &changed{Memory: m, is: is} }
}

// onRecords changes what is handed out.
func onRecords(change func([]validate.Record) []validate.Record) func(*Memory) validate.Side {
	return func(m *Memory) validate.Side {
		return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
			return m.Read(ctx, q, func(p validate.Page) error {
				p.Records = change(append([]validate.Record(nil), p.Records...))
				return take(p)
			})
		}}
	}
}

// onQuery changes what is asked for.
func onQuery(change func(validate.Query) validate.Query) func(*Memory) validate.Side {
	return func(m *Memory) validate.Side {
		return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
			return m.Read(ctx, change(q), take)
		}}
	}
}

func each(change func(*validate.Record)) func([]validate.Record) []validate.Record {
	return func(rs []validate.Record) []validate.Record {
		for i := range rs {
			change(&rs[i])
		}
		return rs
	}
}

// TestMistakesAreFound: each mistake that a side can make fails a check that is
// named after what it breaks.
func TestMistakesAreFound(t *testing.T) {
	quiet := func(ctx context.Context, m *Memory, q validate.Query, take func(validate.Page) error) error {
		err := m.Read(ctx, q, take)
		if err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "closed") {
			return nil
		}
		return err
	}
	for name, tt := range map[string]struct {
		check  string
		change func(*Memory) validate.Side
	}{
		"from is left out": {"Bounds", onQuery(func(q validate.Query) validate.Query { q.From = q.From.Add(1); return q })},
		"to is included":   {"Bounds", onQuery(func(q validate.Query) validate.Query { q.To = q.To.Add(1); return q })},
		"bounds in milliseconds": {"Bounds", onQuery(func(q validate.Query) validate.Query {
			q.From, q.To = q.From.Truncate(time.Millisecond), q.To.Add(time.Millisecond-1).Truncate(time.Millisecond)
			return q
		})},
		"bounds wrap around": {"Bounds", onQuery(func(q validate.Query) validate.Query {
			q.From, q.To = time.Unix(0, q.From.UnixNano()), time.Unix(0, q.To.UnixNano())
			return q
		})},
		"device is not asked for": {"Filters", onQuery(func(q validate.Query) validate.Query { q.Device = ""; return q })},
		"tag is not asked for":    {"Filters", onQuery(func(q validate.Query) validate.Query { q.Tag = ""; return q })},
		"case folds":              {"Names", onQuery(func(q validate.Query) validate.Query { q.Device = strings.ToLower(q.Device); return q })},
		"quality is forgotten":    {"Names", onRecords(each(func(r *validate.Record) { r.Quality = "good" }))},
		"identity forgotten":      {"Settings", onTraits(func(is validate.Traits) validate.Traits { is.Identity = ""; return is })},
		"identity of others":      {"Settings", onTraits(func(is validate.Traits) validate.Traits { is.Identity = "another"; return is })},
		"identity tells":          {"Settings", onTraits(func(is validate.Traits) validate.Traits { is.Identity = "s3cret"; return is })},
		"seq has 63 bits":         {"Identity", onRecords(each(func(r *validate.Record) { r.Seq &= 1<<63 - 1 }))},
		"times in microseconds":   {"Values", onRecords(each(func(r *validate.Record) { r.Time -= r.Time % 1000 }))},
		"integers as floats": {"Values", onRecords(each(func(r *validate.Record) {
			if r.Value.Kind() == reading.Int {
				r.Value = reading.OfFloat(float64(r.Value.Int()))
			}
		}))},
		"minus zero": {"Values", onRecords(each(func(r *validate.Record) {
			if r.Value.Kind() == reading.Float && r.Value.Float() == 0 {
				r.Value = reading.OfFloat(0)
			}
		}))},
		"copies are dropped": {"Copies", onRecords(func(rs []validate.Record) []validate.Record {
			var once []validate.Record
			for _, r := range rs {
				if len(once) == 0 || order(once[len(once)-1].Reading, r.Reading) != 0 {
					once = append(once, r)
				}
			}
			return once
		})},
		"wrong traits":               {"Copies", onTraits(func(is validate.Traits) validate.Traits { is.Unique = true; return is })},
		"the last of a page is lost": {"Many", onRecords(func(rs []validate.Record) []validate.Record { return rs[:len(rs)-1] })},
		"out of order": {"Many", onRecords(func(rs []validate.Record) []validate.Record {
			rs[0], rs[len(rs)-2] = rs[len(rs)-2], rs[0]
			return rs
		})},
		"no arrival": {"Bounds", onRecords(each(func(r *validate.Record) { r.Arrived = 0 }))},
		"no place":   {"Bounds", onRecords(each(func(r *validate.Record) { r.Place = validate.Place{} }))},
		"remembers": {"Fresh", func(m *Memory) validate.Side {
			var known []validate.Page
			return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
				if known == nil {
					if err := m.Read(ctx, q, func(p validate.Page) error { known = append(known, p); return nil }); err != nil {
						return err
					}
				}
				for _, p := range known {
					if err := take(p); err != nil {
						return err
					}
				}
				return nil
			}}
		}},
		"one read at a time, the others see nothing": {"Concurrent", func(m *Memory) validate.Side {
			var reads atomic.Int32
			return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
				if reads.Add(1) > 1 {
					return nil
				}
				return m.Read(ctx, q, take)
			}}
		}},
		"goes on when take fails": {"TakeFails", func(m *Memory) validate.Side {
			return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
				return m.Read(ctx, q, func(p validate.Page) error { _ = take(p); return take(p) })
			}}
		}},
		"cancel looks like the end": {"Cancel", func(m *Memory) validate.Side {
			return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
				if err := m.Read(ctx, q, take); !errors.Is(err, context.Canceled) {
					return err
				}
				return nil
			}}
		}},
		"what is unreadable is skipped": {"Unreadable", func(m *Memory) validate.Side {
			return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
				return m.Read(ctx, q, func(p validate.Page) error { p.Unreadable = nil; return take(p) })
			}}
		}},
		"down looks empty": {"Down", func(m *Memory) validate.Side {
			return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
				return quiet(ctx, m, q, take)
			}}
		}},
		"shows its secret": {"Down", func(m *Memory) validate.Side { m.Name = "memory://s3cret"; return m }},
		"closed looks empty": {"Close", func(m *Memory) validate.Side {
			return &changed{Memory: m, read: func(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
				if err := m.Read(ctx, q, take); err == nil || !strings.Contains(err.Error(), "closed") {
					return err
				}
				return nil
			}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range checks {
				if c.name != tt.check {
					continue
				}
				m := &Memory{Has: validate.Traits{Ordered: true, Arrival: true}, PageSize: 100}
				if failures := failuresOf(t, func(t testing.TB) { c.check(t, overMemory(m, tt.change)) }); len(failures) == 0 {
					t.Errorf("%s passes", c.name)
				}
				return
			}
			t.Fatalf("there is no check %s", tt.check)
		})
	}
}

// recorder notes failures instead of failing.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, a ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, a...))
}
func (r *recorder) Error(a ...any) { r.failures = append(r.failures, fmt.Sprint(a...)) }
func (r *recorder) Fatalf(format string, a ...any) {
	r.Errorf(format, a...)
	runtime.Goexit()
}
func (r *recorder) Fatal(a ...any) {
	r.Error(a...)
	runtime.Goexit()
}

func failuresOf(t *testing.T, check func(testing.TB)) []string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check(r)
	}()
	<-done
	return r.failures
}
