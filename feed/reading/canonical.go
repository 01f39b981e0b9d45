package reading

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// canonical is a text that is read as [Reading.AppendJSON] writes it: the members
// in their order, no white space, no escapes. Nearly all readings are written so,
// and are read several times as fast as JSON of any form. It reads nothing that
// the other way would not read as the same.
type canonical struct{ b []byte }

// canonical reads a reading, or returns false, and may then have changed p.r.
func (p *Parser) canonical(payload []byte) bool {
	c := canonical{payload}
	r := &p.r
	if c.next(`{"site":"`) {
		if !c.name(&r.Site, &p.names, false) || !c.next(`,"`) {
			return false
		}
	} else if r.Site = ""; !c.next(`{"`) {
		return false
	}
	if c.next(`line":"`) {
		if !c.name(&r.Line, &p.names, false) || !c.next(`,"`) {
			return false
		}
	} else {
		r.Line = ""
	}
	return c.next(`device":"`) && c.name(&r.Device, &p.names, true) &&
		c.next(`,"tag":"`) && c.name(&r.Tag, &p.names, true) &&
		c.next(`,"ts":"`) && c.time(&r.Time) &&
		c.next(`","value":`) && c.value(&r.Value) &&
		c.next(`,"quality":"`) && c.name(&r.Quality, &p.names, false) &&
		c.next(`,"seq":`) && c.seq(&r.Seq) &&
		c.next(`}`) && len(c.b) == 0
}

// next takes a text that must stand there.
func (c *canonical) next(text string) bool {
	if len(c.b) < len(text) || string(c.b[:len(text)]) != text {
		return false
	}
	c.b = c.b[len(text):]
	return true
}

// quoted takes the rest of a string with its closing quote.
func (c *canonical) quoted() ([]byte, bool) {
	for i, b := range c.b {
		switch {
		case b == '"':
			text := c.b[:i]
			c.b = c.b[i+1:]
			return text, true
		case b < ' ' || b == '\\':
			return nil, false
		}
	}
	return nil, false
}

// name takes a valid name into dst, which holds that of the reading before.
func (c *canonical) name(dst *string, known *names, needed bool) bool {
	b, ok := c.quoted()
	if !ok || len(b) > MaxName || needed && len(b) == 0 {
		return false
	}
	if string(b) == *dst {
		return true
	}
	if !utf8.Valid(b) {
		return false
	}
	*dst = known.get(b)
	return true
}

func (c *canonical) value(dst *Value) bool {
	if len(c.b) == 0 {
		return false
	}
	switch c.b[0] {
	case 'n':
		*dst = Value{}
		return c.next("null")
	case 't':
		*dst = OfBool(true)
		return c.next("true")
	case 'f':
		*dst = OfBool(false)
		return c.next("false")
	case '"':
		c.b = c.b[1:]
		b, ok := c.quoted()
		if !ok || len(b) > MaxText || !utf8.Valid(b) {
			return false
		}
		*dst = OfText(string(b))
		return true
	}
	return c.number(dst)
}

// exactDigits is how many digits fit into the 53 bits of a float.
const exactDigits = 15

// exactPowers are those that a float holds exactly, as far as they are needed.
var exactPowers = [exactDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// number takes a number without exponent whose digits fit into a float, or into
// an integer.
func (c *canonical) number(dst *Value) bool {
	b, negative := c.b, false
	if b[0] == '-' {
		b, negative = b[1:], true
	}
	whole, n := digits(b)
	if n == 0 || n > 1 && b[0] == '0' || n > 18 {
		return false
	}
	if b = b[n:]; len(b) == 0 || b[0] != '.' {
		if len(b) > 0 && b[0]|0x20 == 'e' {
			return false
		}
		if negative {
			whole = -whole
		}
		*dst, c.b = OfInt(whole), b
		return true
	}
	fraction, behind := digits(b[1:])
	if behind == 0 {
		return false
	}
	text := c.b[:len(c.b)-len(b)+1+behind]
	if b = b[1+behind:]; len(b) > 0 && b[0]|0x20 == 'e' {
		return false
	}
	if n+behind > exactDigits {
		f, err := strconv.ParseFloat(string(text), 64)
		*dst, c.b = OfFloat(f), b
		return err == nil
	}
	// Both are exact, so that the quotient is the float that is nearest.
	f := (float64(whole)*exactPowers[behind] + float64(fraction)) / exactPowers[behind]
	if negative {
		f = -f
	}
	*dst, c.b = OfFloat(f), b
	return true
}

// digits returns the number that b begins with, and its length; beyond 18 digits
// the number is wrong.
func digits(b []byte) (number int64, n int) {
	for n < len(b) && b[n]-'0' <= 9 {
		number = number*10 + int64(b[n]-'0')
		n++
	}
	return number, n
}

func (c *canonical) seq(dst *uint64) bool {
	number, n := digits(c.b)
	if n == 0 || n > 1 && c.b[0] == '0' || n > 18 {
		return false
	}
	*dst, c.b = uint64(number), c.b[n:]
	return true
}

// Years of which nanoseconds of 64 bits hold all.
const (
	minYear = 1678
	maxYear = 2261
)

// time takes such as 2026-11-21T03:04:05.123456789Z.
func (c *canonical) time(dst *int64) bool {
	const short = len("2026-11-21T03:04:05Z")
	b := c.b
	if len(b) < short || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return false
	}
	var fields [6]int
	for i, at := range [...][2]int{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}} {
		number, n := digits(b[at[0]:at[1]])
		if n != at[1]-at[0] {
			return false
		}
		fields[i] = int(number)
	}
	b = b[short-1:]
	var nanos int64
	if b[0] == '.' {
		fraction, n := digits(b[1:])
		if n == 0 || n > 9 {
			return false
		}
		for range 9 - n {
			fraction *= 10
		}
		nanos, b = fraction, b[1+n:]
	}
	if len(b) == 0 || b[0] != 'Z' {
		return false
	}
	t := time.Date(fields[0], time.Month(fields[1]), fields[2], fields[3], fields[4], fields[5], int(nanos), time.UTC)
	// A day that its month does not have has become one of the next.
	if fields[0] < minYear || fields[0] > maxYear || fields[1] < 1 || fields[1] > 12 || t.Day() != fields[2] || fields[3] > 23 || fields[4] > 59 || fields[5] > 59 {
		return false
	}
	*dst, c.b = t.UnixNano(), b[1:]
	return true
}
