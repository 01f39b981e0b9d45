package ledger

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// The members of a reading that tell it from others, in the order of their
// pointers.
const (
	memberDevice = iota
	memberTag
	memberTime
	memberSeq
	members
)

var (
	pointers   = pointersTo("/device", "/tag", "/ts", "/seq")
	allMembers = jsonscan.Bit(members) - 1
)

func pointersTo(all ...string) *jsonscan.Pointers {
	p := &jsonscan.Pointers{}
	for _, text := range all {
		if _, err := p.Add(text); err != nil {
			panic(err) // a mistake of the program
		}
	}
	return p
}

// identity is what tells a reading from others, as it is written in JSON.
type identity struct {
	series []byte // device and tag, one behind the other
	device int    // where the device ends
	time   []byte // in RFC 3339, or what stands there
	seq    uint64
}

// identifier looks for readings. What it returns is valid until the next call.
type identifier struct {
	found [members]jsonscan.Span
	text  []byte
}

// find looks for a reading in a payload: a JSON object with device, tag, ts and
// seq, whatever else it has.
func (i *identifier) find(payload []byte) (id identity, ok bool) {
	if start := bytes.TrimLeft(payload, " \t\r\n"); len(start) == 0 || start[0] != '{' {
		return id, false
	}
	if id, ok = i.usual(payload); ok {
		return id, true
	}
	i.found = [members]jsonscan.Span{}
	if err := pointers.Find(payload, allMembers, i.found[:]); err != nil {
		return id, false
	}
	for _, f := range i.found {
		if !f.Found() {
			return id, false
		}
	}
	var ends [members]int
	i.text = i.text[:0]
	for m, f := range i.found {
		i.text = f.Append(i.text, payload)
		ends[m] = len(i.text)
	}
	part := func(m int) []byte { return i.text[ends[m-1]:ends[m]] }
	seq, isNumber := number(part(memberSeq))
	id = identity{series: i.text[:ends[memberTag]], device: ends[memberDevice], time: part(memberTime), seq: seq}
	return id, isNumber && id.short()
}

func (id *identity) short() bool { return len(id.series) <= mostText && len(id.time) <= mostText }

// usual finds a reading that is written as package reading does: the members in
// their order, without white space and escapes. Nearly all are, and are found in a
// fraction of the time. Of what does not tell a reading from others it looks at no
// more than it must.
func (i *identifier) usual(payload []byte) (id identity, ok bool) {
	u := usual{rest: payload, ok: true}
	u.skip(`{"`)
	for _, name := range [...]string{`site":"`, `line":"`} {
		if bytes.HasPrefix(u.rest, []byte(name)) {
			u.text(name)
			u.skip(`,"`)
		}
	}
	device := u.text(`device":"`)
	tag := u.text(`,"tag":"`)
	id.time = u.text(`,"ts":"`)
	u.skip(`,"value":`)
	u.scalar()
	u.text(`,"quality":"`)
	u.skip(`,"seq":`)
	seq := u.scalar()
	if !u.ok || len(u.rest) == 0 || u.rest[0] != '}' && u.rest[0] != ',' {
		return id, false
	}
	i.text = append(append(i.text[:0], device...), tag...)
	id.series, id.device = i.text, len(device)
	id.seq, ok = number(seq)
	return id, ok && id.short()
}

// usual is what is left of a reading that may be written as usual.
type usual struct {
	rest []byte
	ok   bool
}

// skip takes a text that must stand there.
func (u *usual) skip(text string) {
	if !u.ok || len(u.rest) < len(text) || string(u.rest[:len(text)]) != text {
		u.ok = false
		return
	}
	u.rest = u.rest[len(text):]
}

// text takes a string without escapes that begins as it must.
func (u *usual) text(begin string) []byte {
	u.skip(begin)
	end := bytes.IndexByte(u.rest, '"')
	if !u.ok || end < 0 || bytes.IndexByte(u.rest[:end], '\\') >= 0 {
		u.ok = false
		return nil
	}
	text := u.rest[:end]
	u.rest = u.rest[end+1:]
	return text
}

// scalar takes what may be a number, true, false or null: up to where it ends.
func (u *usual) scalar() []byte {
	n := 0
	for n < len(u.rest) && (u.rest[n]-'0' <= 9 || (u.rest[n]|0x20)-'a' < 26 || u.rest[n] == '.' || u.rest[n] == '-' || u.rest[n] == '+') {
		n++
	}
	if n == 0 {
		u.ok = false
	}
	text := u.rest[:n]
	u.rest = u.rest[n:]
	return text
}

// number reads a sequence.
func number(text []byte) (n uint64, ok bool) {
	if len(text) == 0 || len(text) > 19 || slices.ContainsFunc(text, func(c byte) bool { return c < '0' || c > '9' }) {
		n, err := strconv.ParseUint(string(text), 10, 64)
		return n, err == nil
	}
	for _, c := range text {
		n = 10*n + uint64(c-'0')
	}
	return n, true
}
