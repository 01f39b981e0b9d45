package batch

import (
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// decoder makes readings of columns. What it holds is used again.
type decoder struct {
	content []byte

	names   []string
	sources []source
	states  []state
	series  []seriesKey
	slots   []uint32 // by series: the first of its slots; and the end of the last
	place   []uint32 // by slot: the reading
	after   succession
	next    []uint32
	ofKind  [reading.Text + 1][]uint32 // the readings whose values are of the kind, by series
	ends    [reading.Text + 1][]uint32 // by series: where its part of those ends
	column  []uint64
	lengths []int
	texts   []string
}

// release puts the decoder back, unless it holds much. Strings that others hold
// are not kept.
func (d *decoder) release() {
	clear(d.names)
	clear(d.texts)
	if cap(d.content) > keptScratch {
		d.content = nil
	}
	if max(cap(d.place), cap(d.names), cap(d.lengths)) <= keptReadings {
		decoders.Put(d)
	}
}

var errColumns = errors.New("the columns are malformed")

// decode appends the readings of a content to dst.
func (d *decoder) decode(dst []reading.Reading, content []byte, l Limits) ([]reading.Reading, error) {
	c := &cursor{b: content}
	total := c.uvarint()
	if total > uint64(l.MaxReadings) {
		return dst, l.tooMany()
	}
	n := int(total)
	if n == 0 && !c.failed && len(c.b) == 0 {
		return dst, nil
	}
	if err := d.tables(c, n); err != nil {
		return dst, err
	}
	d.place = resized(d.place, n)
	d.after = newSuccession(d.after, len(d.series))
	d.next = resized(d.next, len(d.series))
	c.order(d.place, d.slots, d.after, d.next)
	if c.failed {
		return dst, errColumns
	}
	made := slices.Grow(dst, n)[:len(dst)+n]
	rs := made[len(dst):]
	d.fill(c, rs)
	if c.failed {
		return dst, errColumns
	}
	if err := d.values(c, rs, l); err != nil {
		return dst, err
	}
	if c.failed || len(c.b) > 0 {
		return dst, errColumns
	}
	return made, nil
}

// tables reads names, sources, states and series of n readings. There are no more
// of each than there can be readings that need them.
func (d *decoder) tables(c *cursor, n int) error {
	d.names = c.strings(d.names, &d.lengths, 5*n)
	for _, s := range d.names {
		if len(s) > reading.MaxName || !utf8.ValidString(s) {
			return corrupt(ReasonReading, "the name %.40q is no UTF-8 or longer than %d bytes", s, reading.MaxName)
		}
	}
	d.sources = resized(d.sources, c.below(n+1))
	for i := range d.sources {
		d.sources[i] = source{c.below(len(d.names)), c.below(len(d.names)), c.below(len(d.names))}
		if !c.failed && d.names[d.sources[i].device] == "" {
			return corrupt(ReasonReading, "device is missing")
		}
	}
	d.states = resized(d.states, c.below(n+1))
	for i := range d.states {
		d.states[i] = state{reading.Kind(c.below(int(reading.Text) + 1)), c.below(len(d.names))}
	}
	d.series = resized(d.series, c.below(n+1))
	d.slots = append(d.slots[:0], 0)
	slot := 0
	for i := range d.series {
		d.series[i] = seriesKey{c.below(len(d.sources)), c.below(len(d.names))}
		if !c.failed && d.names[d.series[i].tag] == "" {
			return corrupt(ReasonReading, "tag is missing")
		}
		count := c.below(n - slot + 1)
		if count == 0 {
			return errColumns
		}
		slot += count
		d.slots = append(d.slots, uint32(slot))
	}
	if c.failed || slot != n || n == 0 {
		return errColumns
	}
	return nil
}

// fill writes what is not the value into the readings, and finds which values
// are of which kind.
func (d *decoder) fill(c *cursor, rs []reading.Reading) {
	for k := range d.ofKind {
		d.ofKind[k], d.ends[k] = d.ofKind[k][:0], d.ends[k][:0]
	}
	for s, key := range d.series {
		from := d.sources[key.source]
		site, line, device, tag := d.names[from.site], d.names[from.line], d.names[from.device], d.names[key.tag]
		for slots := d.place[d.slots[s]:d.slots[s+1]]; len(slots) > 0; {
			st := c.below(len(d.states))
			run := c.below(len(slots) + 1)
			if run == 0 {
				c.failed = true
				return
			}
			kind, quality := d.states[st].kind, d.names[d.states[st].quality]
			for _, i := range slots[:run] {
				r := &rs[i]
				r.Site, r.Line, r.Device, r.Tag, r.Quality = site, line, device, tag, quality
				r.Value = reading.Value{}
			}
			d.ofKind[kind] = append(d.ofKind[kind], slots[:run]...)
			slots = slots[run:]
		}
		for k := range d.ends {
			d.ends[k] = append(d.ends[k], uint32(len(d.ofKind[k])))
		}
	}
	d.seq(c, rs)
	d.times(c, rs)
}

func (d *decoder) seq(c *cursor, rs []reading.Reading) {
	seq := c.uvarint()
	d.column = c.planes(d.column, len(rs)-1)
	rs[0].Seq = seq
	for i, v := range d.column {
		seq += uint64(unzigzag(v)) + 1
		rs[i+1].Seq = seq
	}
}

// values reads the values of each kind.
func (d *decoder) values(c *cursor, rs []reading.Reading, l Limits) error {
	for numbers := range d.bySeries(reading.Float) {
		d.floats(c, rs, numbers)
	}
	for numbers := range d.bySeries(reading.Int) {
		d.column = c.planes(d.column, len(numbers))
		var v int64
		for k, i := range numbers {
			v += unzigzag(d.column[k])
			rs[i].Value = reading.OfInt(v)
		}
	}
	bools := d.ofKind[reading.Bool]
	bitmap := c.bytes(uint64(len(bools)+7) / 8)
	if c.failed {
		return errColumns
	}
	for k, i := range bools {
		rs[i].Value = reading.OfBool(bitmap[k/8]>>(k%8)&1 == 1)
	}
	if len(bools)%8 != 0 && bitmap[len(bitmap)-1]>>(len(bools)%8) != 0 {
		return errColumns
	}
	if len(d.ofKind[reading.Text]) == 0 {
		return nil
	}
	return d.readTexts(c, rs, l)
}

// bySeries yields the readings of each series whose values are of a kind.
func (d *decoder) bySeries(k reading.Kind) func(yield func([]uint32) bool) {
	return func(yield func([]uint32) bool) {
		start := uint32(0)
		for _, end := range d.ends[k] {
			if end > start && !yield(d.ofKind[k][start:end]) {
				return
			}
			start = end
		}
	}
}

func (d *decoder) readTexts(c *cursor, rs []reading.Reading, l Limits) error {
	numbers := d.ofKind[reading.Text]
	d.texts = c.strings(d.texts, &d.lengths, len(numbers))
	for _, s := range d.texts {
		if len(s) > l.MaxText {
			return corrupt(ReasonLimits, "a text has %d bytes, more than %d", len(s), l.MaxText)
		}
		if !utf8.ValidString(s) {
			return corrupt(ReasonReading, "the text %.40q is no UTF-8", s)
		}
	}
	d.column = c.planes(d.column, len(numbers))
	fresh, bytes := 0, 0
	for k, i := range numbers {
		text := d.column[k]
		if text == 0 {
			fresh++
			text = uint64(fresh)
		}
		if text > uint64(fresh) || fresh > len(d.texts) {
			return errColumns
		}
		s := d.texts[text-1]
		// A text may stand there once and be that of many readings.
		if bytes += len(s); bytes > l.MaxBytes {
			return corrupt(ReasonLimits, "the texts of all readings are longer than %d bytes", l.MaxBytes)
		}
		rs[i].Value = reading.OfText(s)
	}
	return nil
}

// strings reads at most most strings, all of one piece of memory.
func (c *cursor) strings(list []string, lengths *[]int, most int) []string {
	n := c.below(min(most, len(c.b)) + 1)
	*lengths = resized(*lengths, n)
	total := uint64(0)
	for i := range *lengths {
		length := c.uvarint()
		if length > uint64(len(c.b)) {
			c.failed = true
			return list[:0]
		}
		(*lengths)[i] = int(length)
		total += length
	}
	all := string(c.bytes(total))
	if c.failed {
		return list[:0]
	}
	list = resized(list, n)
	for i, length := range *lengths {
		list[i], all = all[:length], all[length:]
	}
	return list
}
