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
	device, tag, time []byte // the last in RFC 3339, or what stands there
	seq               uint64
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
	id = identity{device: i.text[:ends[memberDevice]], tag: part(memberTag), time: part(memberTime), seq: seq}
	return id, isNumber && max(len(id.device), len(id.tag), len(id.time)) <= mostText
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
