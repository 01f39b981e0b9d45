package reading

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// Parser reads readings from JSON. It keeps the names that it has seen, up to 16,384
// of them, so that they are not allocated for each reading, and nothing else of
// what it has read. The zero Parser is ready; it is for one goroutine.
type Parser struct {
	names names

	r    Reading
	seen members
	err  error
	text []byte // reused
}

// Parse reads what [Reading.AppendJSON] writes, with its members in any order
// and with white space. A member that a reading does not have, one that is there
// twice or has another type, an escape that is half of a surrogate pair, and a
// reading that is not valid are errors. It retains nothing of payload.
func (p *Parser) Parse(payload []byte) (Reading, error) {
	if !p.canonical(payload) {
		return p.parseAny(payload)
	}
	if p.r.Value.kind == Text {
		return p.takeText(), nil
	}
	return p.r, nil
}

// parseAny reads a reading in JSON of any form, and keeps nothing of it.
func (p *Parser) parseAny(payload []byte) (Reading, error) {
	r, err := p.parse(payload)
	p.r, p.err = Reading{}, nil
	if cap(p.text) > keptText {
		p.text = nil
	}
	return r, err
}

// takeText returns the reading and forgets its text. Its names are kept: most are
// those of the next one, too.
func (p *Parser) takeText() Reading {
	r := p.r
	p.r.Value = Value{}
	return r
}

// keptText bounds the memory for texts with escapes that is kept to be used again.
const keptText = 64 << 10

// parse reads a reading in JSON of any form.
func (p *Parser) parse(payload []byte) (Reading, error) {
	p.r, p.seen, p.err = Reading{}, 0, nil
	if !jsonscan.Members(payload, p.member) {
		return Reading{}, errors.New("parse reading: it is no JSON object in UTF-8")
	}
	if lacking := needed &^ p.seen; p.err == nil && lacking != 0 {
		p.err = fmt.Errorf("%s is missing", memberNames[bits.TrailingZeros(uint(lacking))])
	}
	if p.err == nil {
		p.err = p.r.Validate()
	}
	if p.err != nil {
		return Reading{}, fmt.Errorf("parse reading: %w", p.err)
	}
	return p.r, nil
}

// members is a set of members of a reading.
type members uint

const (
	site members = 1 << iota
	line
	device
	tag
	ts
	value
	quality
	seq

	needed = device | tag | ts | value | quality | seq
)

var memberNames = [...]string{"site", "line", "device", "tag", "ts", "value", "quality", "seq"}

// member takes a member of the object, both parts as they are written.
func (p *Parser) member(name, text []byte) {
	if p.err != nil {
		return
	}
	var which members
	var ok bool
	switch string(name) {
	case `"site"`:
		which, ok = site, p.name(&p.r.Site, text)
	case `"line"`:
		which, ok = line, p.name(&p.r.Line, text)
	case `"device"`:
		which, ok = device, p.name(&p.r.Device, text)
	case `"tag"`:
		which, ok = tag, p.name(&p.r.Tag, text)
	case `"quality"`:
		which, ok = quality, p.name(&p.r.Quality, text)
	case `"ts"`:
		which, ok = ts, p.time(text)
	case `"value"`:
		which, ok = value, p.value(text)
	case `"seq"`:
		var err error
		p.r.Seq, err = strconv.ParseUint(string(text), 10, 64)
		which, ok = seq, err == nil
	default:
		p.err = fmt.Errorf("a reading has no member %.80s", name)
		return
	}
	switch {
	case p.err != nil:
		p.err = fmt.Errorf("%s: %w", name, p.err)
	case !ok:
		p.err = fmt.Errorf("%s is %.80s, which does not fit", name, text)
	case p.seen&which != 0:
		p.err = fmt.Errorf("%s is there twice", name)
	}
	p.seen |= which
}

// unquoted returns the characters of a string, until the next call.
func (p *Parser) unquoted(text []byte) ([]byte, bool) {
	if text[0] != '"' {
		return nil, false
	}
	if half, found := unpaired(text); found {
		p.err = fmt.Errorf("%s is half of a surrogate pair, and stands for no character", half)
		return nil, false
	}
	p.text = jsonscan.AppendString(p.text[:0], text)
	return p.text, true
}

func (p *Parser) name(dst *string, text []byte) bool {
	b, ok := p.unquoted(text)
	if ok {
		*dst = p.names.get(b)
	}
	return ok
}

func (p *Parser) time(text []byte) bool {
	b, ok := p.unquoted(text)
	if ok {
		p.r.Time, ok = ParseTime(string(b))
	}
	return ok
}

func (p *Parser) value(text []byte) bool {
	switch text[0] {
	case 'n':
		p.r.Value = Value{}
	case 't', 'f':
		p.r.Value = OfBool(text[0] == 't')
	case '"':
		b, _ := p.unquoted(text)
		p.r.Value = OfText(string(b))
	case '{':
		return p.floatBits(text)
	case '[':
		return false
	default:
		return p.number(text)
	}
	return true
}

// number takes what has neither point nor exponent for an integer.
func (p *Parser) number(text []byte) bool {
	for _, c := range text {
		if c == '.' || c == 'e' || c == 'E' {
			f, err := strconv.ParseFloat(string(text), 64)
			p.r.Value = OfFloat(f)
			return err == nil
		}
	}
	i, err := strconv.ParseInt(string(text), 10, 64)
	p.r.Value = OfInt(i)
	return err == nil
}

// floatBits takes {"float":"7ff8000000000001"}.
func (p *Parser) floatBits(text []byte) bool {
	n, ok := 0, true
	var raw [8]byte
	if !jsonscan.Members(text, func(name, text []byte) {
		n++
		digits, isText := p.unquoted(text)
		if ok = isText && string(name) == `"float"` && len(digits) == hex.EncodedLen(len(raw)); ok {
			_, err := hex.Decode(raw[:], digits)
			ok = err == nil
		}
	}) {
		return false
	}
	p.r.Value = OfFloat(math.Float64frombits(binary.BigEndian.Uint64(raw[:])))
	return ok && n == 1
}
