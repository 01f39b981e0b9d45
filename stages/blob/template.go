package blob

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
)

// Bounds of what a template may make. Azure takes names of 1,024 characters,
// file systems segments of 255 bytes.
const (
	maxTemplateLen = 512
	maxNameLen     = 1000
	maxSegmentLen  = 240
	maxSegments    = 32
	maxValueLimit  = 128
	minValueLimit  = 48
	hashLen        = 32
	// A range is STREAM-GENERATION-FIRST-LAST-NUMBER, four numbers of 64 bits.
	streamNameLimit = 64
	rangeLen        = streamNameLimit + 4*21
	extensionRoom   = len(".ndjson.zst")
)

type partKind uint8

const (
	partLiteral partKind = iota
	partDate
	partYear
	partMonth
	partDay
	partHour
	partMinute
	partRoute
	partFeed
	partTopic
	partMeta
	partHash
)

type part struct {
	kind partKind
	text string // of a literal; the key of partMeta
	sep  byte   // what a value must escape to stay apart from the next one
}

// variable reports whether the part's length depends on a value.
func (p part) variable() bool {
	switch p.kind {
	case partRoute, partFeed, partTopic, partMeta:
		return true
	}
	return false
}

// ofTime reports whether the part shows the time of a message.
func (p part) ofTime() bool { return p.kind >= partDate && p.kind <= partMinute }

// width is the most that a part takes that is not variable.
func (t *template) width(p part) int {
	switch {
	case p.kind == partLiteral:
		return len(p.text)
	case p.kind == partHash && t.ranges:
		return rangeLen
	case p.kind == partHash:
		return hashLen
	case p.kind == partDate:
		return len("2006-01-02")
	case t.ranges:
		return len(undated)
	case p.kind == partYear:
		return 4
	}
	return 2
}

// template is a parsed path template. It is immutable.
type template struct {
	parts    []part
	limit    int // longest rendered value
	usesTime bool
	variable bool // differs by the message's metadata, besides its time
	ranges   bool // the name ends with a range of offsets in the place of a hash
}

// templateParts are the names of the parts that take no key.
var templateParts = map[string]partKind{
	"date":   partDate,
	"year":   partYear,
	"month":  partMonth,
	"day":    partDay,
	"hour":   partHour,
	"minute": partMinute,
	"route":  partRoute,
	"feed":   partFeed,
	"topic":  partTopic,
	"hash":   partHash,
}

// parseTemplate parses a path template such as "{date}/{hour}/{route}-{hash}".
// It appends "-{hash}" to one that has no hash.
func parseTemplate(text string) (*template, error) {
	t, err := parseParts(text)
	if err != nil {
		return nil, err
	}
	if !t.hasHash() {
		t.parts = append(t.parts, part{kind: partLiteral, text: "-"}, part{kind: partHash})
	}
	return t, t.arrange()
}

// parseRangeTemplate parses the template of a directory such as
// "{meta.device}/{date}"; the range of offsets is the last segment.
func parseRangeTemplate(text string) (*template, error) {
	t, err := parseParts(text)
	if err != nil {
		return nil, err
	}
	if t.hasHash() {
		return nil, fmt.Errorf("%q has {hash}, but with exactlyOnce the offsets make the name", text)
	}
	t.ranges = true
	t.parts = append(t.parts, part{kind: partLiteral, text: "/"}, part{kind: partHash})
	return t, t.arrange()
}

// parseParts takes a template apart.
func parseParts(text string) (*template, error) {
	if text == "" {
		return nil, errors.New("is empty")
	}
	if len(text) > maxTemplateLen {
		return nil, fmt.Errorf("is longer than %d bytes", maxTemplateLen)
	}
	t := &template{}
	for rest := text; rest != ""; {
		if rest[0] != '{' {
			n := strings.IndexByte(rest, '{')
			if n < 0 {
				n = len(rest)
			}
			if err := checkLiteral(rest[:n]); err != nil {
				return nil, err
			}
			t.parts = append(t.parts, part{kind: partLiteral, text: rest[:n]})
			rest = rest[n:]
			continue
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return nil, fmt.Errorf("%q has no closing brace", rest)
		}
		name := rest[1:end]
		rest = rest[end+1:]
		if key, ok := strings.CutPrefix(name, "meta."); ok && key != "" {
			t.parts = append(t.parts, part{kind: partMeta, text: key})
			continue
		}
		kind, ok := templateParts[name]
		if !ok {
			return nil, fmt.Errorf("has no part {%s}: there are {date} {year} {month} {day} {hour} {minute} {route} {feed} {topic} {meta.NAME} {hash}", name)
		}
		t.parts = append(t.parts, part{kind: kind})
	}
	return t, nil
}

// checkLiteral refuses bytes that mean something in paths, URLs or escapes.
func checkLiteral(s string) error {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '/' && (c == '~' || !plainByte(c)) {
			return fmt.Errorf("has %q between its parts: letters, digits and - _ . = + , @ / may stand there", string(rune(c)))
		}
	}
	return nil
}

func (t *template) hasHash() bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.kind == partHash })
}

// arrange splits literals at slashes, checks each segment, finds the byte that
// every value must escape, and shares out the room for values.
func (t *template) arrange() error {
	var segments [][]part
	var seg []part
	for _, p := range t.parts {
		switch {
		case p.kind != partLiteral:
			seg = append(seg, p)
			t.usesTime = t.usesTime || p.ofTime()
			t.variable = t.variable || p.kind == partTopic || p.kind == partMeta
		default:
			for i, text := range strings.Split(p.text, "/") {
				if i > 0 {
					segments, seg = append(segments, seg), nil
				}
				if text != "" {
					seg = append(seg, part{kind: partLiteral, text: text})
				}
			}
		}
	}
	segments = append(segments, seg)
	if len(segments) > maxSegments {
		return fmt.Errorf("has more than %d segments", maxSegments)
	}

	t.parts, t.limit = nil, maxValueLimit
	fixed, values := extensionRoom, 0
	for i, seg := range segments {
		width, n, err := t.arrangeSegment(seg)
		if err != nil {
			return err
		}
		if i == len(segments)-1 {
			width += extensionRoom
		}
		if n > 0 {
			t.limit = min(t.limit, (maxSegmentLen-width)/n)
		} else if width > maxSegmentLen {
			return fmt.Errorf("has a segment of more than %d bytes", maxSegmentLen)
		}
		fixed, values = fixed+width+1, values+n
		if i > 0 {
			t.parts = append(t.parts, part{kind: partLiteral, text: "/"})
		}
		t.parts = append(t.parts, seg...)
	}
	if values > 0 {
		t.limit = min(t.limit, (maxNameLen-fixed)/values)
	}
	if t.limit < minValueLimit {
		return errors.New("has too many values for one name: use fewer, or put them in segments of their own")
	}
	return nil
}

// arrangeSegment checks one segment and sets the separators in place.
func (t *template) arrangeSegment(seg []part) (width, values int, err error) {
	if len(seg) == 0 {
		return 0, 0, errors.New("has an empty segment: it may neither begin nor end with a slash, nor have two in a row")
	}
	if p := seg[0]; p.kind == partLiteral && p.text[0] == '.' {
		return 0, 0, errors.New("has a segment that begins with a dot")
	}
	if p := seg[len(seg)-1]; p.kind == partLiteral && p.text[len(p.text)-1] == '.' {
		return 0, 0, errors.New("has a segment that ends with a dot")
	}
	for i := len(seg) - 1; i >= 0; i-- {
		p := &seg[i]
		if !p.variable() {
			width += t.width(*p)
			continue
		}
		values++
		if values == 1 {
			continue // the last value of the segment: what follows has a fixed length
		}
		next := seg[i+1]
		if next.kind != partLiteral || !isSeparator(next.text[0]) {
			return 0, 0, errors.New("has two values that would run together: put one of - _ . = + , @ / after the first")
		}
		p.sep = next.text[0]
	}
	return width, values, nil
}

func isSeparator(c byte) bool { return strings.IndexByte("-_.=+,@", c) >= 0 }

// hashMark stands where the hash belongs until the content is known. No
// rendered value holds a NUL.
const hashMark = 0

// renderer makes paths for the messages of one sink. It is not safe for
// concurrent use.
type renderer struct {
	*template
	route, feed string
	buf         []byte

	minute minute // of the last path
	fixed  bool   // buf holds a path that depends on minute alone

	lastText   string // the last time that was parsed
	lastMinute minute
}

// minute is the time of a message as far as a path can show it.
type minute struct {
	year, month, day, hour, minute int
	none                           bool // there is none
}

// undated stands for every part of a time that there is not. No time looks like
// it.
const undated = "undated"

// append appends a part of the time.
func (m minute) append(b []byte, kind partKind) []byte {
	if m.none {
		return append(b, undated...)
	}
	switch kind {
	case partDate:
		b = append(appendDigits(b, m.year, 4), '-')
		b = append(appendDigits(b, m.month, 2), '-')
		return appendDigits(b, m.day, 2)
	case partYear:
		return appendDigits(b, m.year, 4)
	case partMonth:
		return appendDigits(b, m.month, 2)
	case partDay:
		return appendDigits(b, m.day, 2)
	case partHour:
		return appendDigits(b, m.hour, 2)
	}
	return appendDigits(b, m.minute, 2)
}

// render returns m's path with hashMark in place of the hash, valid until the
// next call. topic stands in for a missing one.
func (r *renderer) render(m *message.Message, topic string, received time.Time) []byte {
	if r.usesTime {
		at := r.minuteOf(m, received)
		if r.fixed && at == r.minute {
			return r.buf
		}
		r.minute = at
	}
	r.fixed = !r.variable
	b := r.buf[:0]
	for i := range r.parts {
		p := &r.parts[i]
		switch p.kind {
		case partLiteral:
			b = append(b, p.text...)
		case partDate, partYear, partMonth, partDay, partHour, partMinute:
			b = r.minute.append(b, p.kind)
		case partRoute:
			b = appendEscaped(b, r.route, p.sep, r.limit)
		case partFeed:
			b = appendEscaped(b, r.feed, p.sep, r.limit)
		case partTopic:
			b = r.appendMeta(b, p, m, feed.MetaTopic, topic)
		case partMeta:
			b = r.appendMeta(b, p, m, p.text, "")
		case partHash:
			b = append(b, hashMark)
		}
	}
	r.buf = b
	return b
}

// appendMeta appends a metadata value; one that is missing differs from every
// value there can be.
func (r *renderer) appendMeta(b []byte, p *part, m *message.Message, key, fallback string) []byte {
	v, ok := m.Metadata[key]
	if !ok && fallback == "" {
		return append(b, missingMark...)
	}
	if !ok {
		v = fallback
	}
	return appendEscaped(b, v, p.sep, r.limit)
}

// minuteOf returns the minute of the message's own time, or of received when it
// has none that can be read: never of the present, so that a retry makes the
// same name. With ranges of offsets it is none then: the messages alone make
// the name, whenever they come.
func (r *renderer) minuteOf(m *message.Message, received time.Time) minute {
	text, ok := m.Metadata[feed.MetaTime]
	if ok && sameMinute(text, r.lastText) {
		return r.lastMinute
	}
	if ok {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			if at = at.UTC(); at.Year() >= 0 && at.Year() <= 9999 {
				r.lastText, r.lastMinute = text, newMinute(at)
				return r.lastMinute
			}
		}
	}
	if r.ranges {
		return minute{none: true}
	}
	return newMinute(received.UTC())
}

func newMinute(at time.Time) minute {
	year, month, day := at.Date()
	return minute{year: year, month: int(month), day: day, hour: at.Hour(), minute: at.Minute()}
}

// upToMinute is the length of "2006-01-02T15:04:".
const upToMinute = 17

// sameMinute reports whether text is certainly a time in UTC in the same
// minute as last, a time that was parsed: messages come in the order of their
// times, mostly, and parsing is what costs.
func sameMinute(text, last string) bool {
	if len(text) < upToMinute+3 || len(last) < upToMinute+3 || text[len(text)-1] != 'Z' || last[len(last)-1] != 'Z' ||
		text[:upToMinute] != last[:upToMinute] || text[upToMinute] > '5' {
		return false
	}
	rest := text[upToMinute : len(text)-1] // 05 or 05.999
	if len(rest) > 2 {
		if rest[2] != '.' || len(rest) == 3 {
			return false
		}
	}
	for i := 0; i < len(rest); i++ {
		if i != 2 && rest[i]-'0' > 9 {
			return false
		}
	}
	return true
}

func appendDigits(b []byte, n, width int) []byte {
	start := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := len(b) - 1; i >= start; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// nameOf puts the hash of an identity into a rendered path and appends the
// extension.
func nameOf(path, hash, extension string) string {
	return strings.ReplaceAll(path, string(rune(hashMark)), hash) + extension
}

// literalExtension returns an extension that the template spells out by
// itself, or "".
func (t *template) literalExtension() string {
	last := t.parts[len(t.parts)-1]
	if last.kind != partLiteral {
		return ""
	}
	for _, ext := range []string{".gz", ".zst", ".ndjson", ".json"} {
		if strings.HasSuffix(last.text, ext) {
			return ext
		}
	}
	return ""
}
