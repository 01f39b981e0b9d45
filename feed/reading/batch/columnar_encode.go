package batch

import (
	"encoding/binary"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// encoder makes columns of readings.
type encoder struct {
	content []byte
	names   index[string]
	sources index[source]
	states  index[state]
	series  index[seriesKey]
	texts   index[string]

	of      []int // by reading: its series
	state   []int // by reading
	counts  []int // by series
	place   []int // by slot: the reading. The slots of a series follow each other, in the order of its readings.
	column  []uint64
	another []uint64
	floats  []float64

	exceptions []byte
}

type seriesKey struct{ source, tag int }

func newEncoder() *encoder {
	return &encoder{names: newIndex[string](), sources: newIndex[source](), states: newIndex[state](), series: newIndex[seriesKey](), texts: newIndex[string]()}
}

// release puts the encoder back, without what it has read, unless it holds much.
func (e *encoder) release() {
	if cap(e.content) > keptScratch || cap(e.place) > keptReadings {
		return
	}
	e.names.reset()
	e.sources.reset()
	e.states.reset()
	e.series.reset()
	e.texts.reset()
	encoders.Put(e)
}

// keptReadings bounds the scratch, in readings, that is kept to be used again.
const keptReadings = 16_384

// index numbers what is different, in the order in which it appears.
type index[K comparable] struct {
	known map[K]int
	list  []K
}

func newIndex[K comparable]() index[K] { return index[K]{known: make(map[K]int)} }

func (x *index[K]) reset() {
	clear(x.known)
	clear(x.list)
	x.list = x.list[:0]
}

func (x *index[K]) of(k K) int {
	n, ok := x.known[k]
	if !ok {
		n = len(x.list)
		x.known[k] = n
		x.list = append(x.list, k)
	}
	return n
}

// encode appends the content of a body.
func (e *encoder) encode(dst []byte, rs []reading.Reading) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(rs)))
	if len(rs) == 0 {
		return dst
	}
	e.sort(rs)
	dst = appendStrings(dst, e.names.list)
	dst = binary.AppendUvarint(dst, uint64(len(e.sources.list)))
	for _, s := range e.sources.list {
		dst = appendUvarints(dst, s.site, s.line, s.device)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.states.list)))
	for _, s := range e.states.list {
		dst = appendUvarints(dst, int(s.kind), s.quality)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.series.list)))
	for i, s := range e.series.list {
		dst = appendUvarints(dst, s.source, s.tag, e.counts[i])
	}
	dst = appendOrder(dst, e.of, len(e.counts))
	dst = e.appendStates(dst)
	dst = e.appendSeq(dst, rs)
	dst = e.appendTimes(dst, rs)
	dst = e.appendFloats(dst, rs)
	dst = e.appendInts(dst, rs)
	dst = e.appendBools(dst, rs)
	return e.appendTexts(dst, rs)
}

// sort numbers names, states and series, and gives each reading a slot.
func (e *encoder) sort(rs []reading.Reading) {
	e.of, e.state, e.place = resized(e.of, len(rs)), resized(e.state, len(rs)), resized(e.place, len(rs))
	e.counts = e.counts[:0]
	for i := range rs {
		r := &rs[i]
		from := source{e.names.of(r.Site), e.names.of(r.Line), e.names.of(r.Device)}
		s := e.series.of(seriesKey{e.sources.of(from), e.names.of(r.Tag)})
		if s == len(e.counts) {
			e.counts = append(e.counts, 0)
		}
		e.counts[s]++
		e.of[i] = s
		e.state[i] = e.states.of(state{r.Value.Kind(), e.names.of(r.Quality)})
	}
	next := make([]int, len(e.counts))
	for s, slot := 1, 0; s < len(next); s++ {
		slot += e.counts[s-1]
		next[s] = slot
	}
	for i, s := range e.of {
		e.place[next[s]] = i
		next[s]++
	}
}

// appendStates appends the states of each series, as runs.
func (e *encoder) appendStates(dst []byte) []byte {
	for slots := range e.bySeries() {
		for len(slots) > 0 {
			s, run := e.state[slots[0]], 1
			for run < len(slots) && e.state[slots[run]] == s {
				run++
			}
			dst = appendUvarints(dst, s, run)
			slots = slots[run:]
		}
	}
	return dst
}

// bySeries yields the readings of each series.
func (e *encoder) bySeries() func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		rest := e.place
		for _, n := range e.counts {
			if !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// appendSeq appends the numbers of the readings in the order in which they come:
// each is expected to be the next.
func (e *encoder) appendSeq(dst []byte, rs []reading.Reading) []byte {
	e.column = e.column[:0]
	for i := 1; i < len(rs); i++ {
		e.column = append(e.column, zigzag(int64(rs[i].Seq-rs[i-1].Seq-1)))
	}
	return appendPlanes(binary.AppendUvarint(dst, rs[0].Seq), e.column)
}

// appendInts appends the integers of each series: the difference from the one
// before.
func (e *encoder) appendInts(dst []byte, rs []reading.Reading) []byte {
	for slots := range e.bySeries() {
		e.column = e.column[:0]
		var before int64
		for _, i := range slots {
			if v := rs[i].Value; v.Kind() == reading.Int {
				e.column = append(e.column, zigzag(v.Int()-before))
				before = v.Int()
			}
		}
		if len(e.column) > 0 {
			dst = appendPlanes(dst, e.column)
		}
	}
	return dst
}

// appendBools appends all booleans, by series: a bit each, the lowest first.
func (e *encoder) appendBools(dst []byte, rs []reading.Reading) []byte {
	n := 0
	for _, i := range e.place {
		v := rs[i].Value
		if v.Kind() != reading.Bool {
			continue
		}
		if n%8 == 0 {
			dst = append(dst, 0)
		}
		if v.Bool() {
			dst[len(dst)-1] |= 1 << (n % 8)
		}
		n++
	}
	return dst
}

// appendTexts appends all texts, by series: each different one once, and for
// each reading 0 for the next new one, or the number of a known one, from 1.
func (e *encoder) appendTexts(dst []byte, rs []reading.Reading) []byte {
	e.column = e.column[:0]
	for _, i := range e.place {
		v := rs[i].Value
		if v.Kind() != reading.Text {
			continue
		}
		known := len(e.texts.list)
		if n := e.texts.of(v.Text()); n < known {
			e.column = append(e.column, uint64(n)+1)
		} else {
			e.column = append(e.column, 0)
		}
	}
	if len(e.column) == 0 {
		return dst
	}
	return appendPlanes(appendStrings(dst, e.texts.list), e.column)
}

// appendStrings appends strings: how many, their lengths, their bytes.
func appendStrings(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
	}
	for _, s := range list {
		dst = append(dst, s...)
	}
	return dst
}

func appendUvarints(dst []byte, values ...int) []byte {
	for _, v := range values {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	return dst
}
