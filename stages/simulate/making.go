package simulate

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/internal/maker"
)

// madeBytes is how much is made at a time, so that the first messages need not
// wait for the last.
const madeBytes = 256 << 10

// making makes messages of batches, as they are due.
type making struct {
	simulator *Simulator
	queue     *queue
	end       *End
	firstDue  time.Time // what batches are due from; zero before the first are asked for

	batches  int64      // begun
	readings int64      // of those
	begun    []uint64   // the sequence of each device that has begun
	sent     []uint64   // the greatest sequence of each device that came intact
	pending  []emission // of the last batch, what is still to come
	flushed  int        // devices of which nothing is late any more, once no more batches begin
	// short is the batch that count cuts short, and what it has; nothing else
	// comes after it.
	short    upcoming
	shortLen int

	scratch []reading.Reading
	frame   []byte

	mu     sync.Mutex
	report Report
}

func newMaking(s *Simulator) *making {
	return &making{simulator: s, queue: newQueue(s), end: &End{}, begun: make([]uint64, s.Devices()), sent: make([]uint64, s.Devices())}
}

// Make implements [maker.Making].
func (m *making) Make(dst []maker.Item, n int) ([]maker.Item, time.Duration, error) {
	made := 0
	for limit := len(dst) + n; len(dst) < limit && made < madeBytes; {
		if len(m.pending) == 0 {
			wait, err := m.advance()
			if wait > 0 || err != nil {
				return dst, wait, err
			}
			continue
		}
		it, err := m.item(m.pending[0])
		if err != nil {
			return dst, 0, fmt.Errorf("simulate: %w", err)
		}
		m.pending = m.pending[1:]
		made += len(it.Payload)
		dst = append(dst, it)
	}
	return dst, 0, nil
}

// advance finds what comes next, or how long nothing does.
func (m *making) advance() (wait time.Duration, err error) {
	if m.shortLen > 0 || m.end.reached(m.batches) {
		return 0, m.flush()
	}
	next := m.queue.peek()
	if wait := m.wait(next); wait > 0 {
		return wait, nil
	}
	if !m.end.begin(m.batches) {
		return 0, m.flush()
	}
	from, to := m.simulator.devices[next.device].extent(next.sequence)
	m.batches++
	m.readings += to - from
	if count := m.simulator.config.Count; count > 0 && m.readings >= count {
		m.short, m.shortLen = next, int(to-from-(m.readings-count))
	}
	m.begun[next.device] = next.sequence
	m.queue.pop()
	m.pending = m.simulator.emissions(m.pending[:0], next.device, next.sequence, next.sequence)
	return 0, nil
}

// wait returns how long it is until a batch is due.
func (m *making) wait(next upcoming) time.Duration {
	c := &m.simulator.config
	if c.Rate == 0 {
		return 0
	}
	if m.firstDue.IsZero() {
		if m.firstDue = time.Now(); c.Start == "" {
			m.firstDue = m.simulator.start
		}
	}
	return time.Duration(next.due) - time.Since(m.firstDue)
}

// flush has what is late of a device come, when no more batches begin.
func (m *making) flush() error {
	if m.flushed == len(m.begun) {
		return io.EOF
	}
	device, last := m.flushed, m.begun[m.flushed]
	for late := range m.simulator.config.Chaos.latest() {
		m.pending = m.simulator.emissions(m.pending, device, last+1+uint64(late), last)
	}
	m.flushed++
	return nil
}

// item makes a message.
func (m *making) item(e emission) (maker.Item, error) {
	d := &m.simulator.devices[e.device]
	k := d.key.with(ofDamage).with(e.sequence)
	m.scratch = m.simulator.Readings(m.scratch[:0], e.device, e.sequence)
	rs := m.scratch
	if m.shortLen > 0 && e.device == m.short.device && e.sequence == m.short.sequence {
		rs = rs[:m.shortLen]
	}
	it := maker.Item{
		ID:    d.name + "/" + strconv.FormatUint(e.sequence, 10),
		Topic: d.topic, Time: rs[len(rs)-1].At().Format(time.RFC3339Nano), ContentType: batch.ContentType,
	}
	var err error
	switch e.kind {
	case damaged:
		m.frame, err = d.damage(m.frame[:0], k, e.sequence, rs)
	case garbage:
		it.ID += "/garbage"
		m.frame = appendGarbage(m.frame[:0], k)
	case conflict:
		contradict(k, rs)
		m.frame, err = batch.Append(m.frame[:0], d.codec, d.name, e.sequence, rs)
	default:
		m.frame, err = batch.Append(m.frame[:0], d.codec, d.name, e.sequence, rs)
	}
	it.Payload = bytes.Clone(m.frame)
	if err == nil {
		m.note(e, damageOf(k, rs), len(rs), len(it.Payload))
	}
	return it, err
}

// note counts a message.
func (m *making) note(e emission, how damage, readings, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &m.report
	r.Messages++
	r.Bytes += uint64(bytes)
	switch e.kind {
	case damaged:
		r.damaged(how)
	case garbage:
		r.Garbage++
	case conflict:
		r.Conflicts++
	case duplicate:
		r.Duplicates++
	case intact:
		r.Batches++
		r.Readings += uint64(readings)
		if e.sequence < m.sent[e.device] {
			r.Reordered++
		}
		m.sent[e.device] = max(m.sent[e.device], e.sequence)
	}
}

func (m *making) reported() Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.report
}
