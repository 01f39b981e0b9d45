package blob

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mostPrefixes is how many listings a time is worth: beyond, a part of the names
// is told apart after it was listed. Each is a request.
const mostPrefixes = 200

// nameFilter knows the names that a path makes, and of which times they are.
type nameFilter struct {
	*template
	whole *regexp.Regexp
	dirs  *regexp.Regexp // as many directories of whole as a name has; nil when the path makes none
	kinds []partKind     // of the groups of whole, with which those of dirs begin
}

func newNameFilter(cfg *ObservationConfig) (*nameFilter, error) {
	t, err := cfg.template()
	if err != nil {
		return nil, err
	}
	f := &nameFilter{template: t}
	var b strings.Builder
	b.WriteString("^")
	for _, p := range t.parts {
		switch {
		case p.kind == partLiteral:
			b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(p.text), "/", slash))
			continue
		case p.kind == partHash && t.ranges:
			b.WriteString(`([^/]+-\d+-\d+-\d+-\d+)`)
		case p.kind == partHash:
			fmt.Fprintf(&b, "([0-9a-f]{%d})", hashLen)
		case p.ofTime() && t.ranges:
			fmt.Fprintf(&b, "(%s|%s)", timePattern(p.kind), undated)
		case p.ofTime():
			fmt.Fprintf(&b, "(%s)", timePattern(p.kind))
		default:
			b.WriteString(`([^/]+)`)
		}
		f.kinds = append(f.kinds, p.kind)
	}
	path := b.String()
	if f.whole, err = regexp.Compile(strings.ReplaceAll(path, slash, "/") + `(\.ndjson|\.ndjson\.gz|\.ndjson\.zst|\.parquet)$`); err != nil {
		return nil, err
	}
	if i := strings.LastIndex(path, slash); i >= 0 {
		dirs := path[:i]
		f.dirs, err = regexp.Compile(strings.ReplaceAll(dirs, slash, "/(?:") + "/" + strings.Repeat(")?", strings.Count(dirs, slash)))
	}
	return f, err
}

// slash stands for the end of a directory in a pattern that is being made.
const slash = "\x00"

func timePattern(kind partKind) string {
	switch kind {
	case partDate:
		return `\d{4}-\d\d-\d\d`
	case partYear:
		return `\d{4}`
	}
	return `\d\d`
}

// dated reports whether the names tell a time that narrows what is read.
func (f *nameFilter) dated() bool {
	for _, p := range f.parts {
		if p.kind == partDate || p.kind == partYear {
			return true
		}
	}
	return false
}

// ordered reports whether the names tell the order of all readings: those of one
// stream, in one directory. Where a path divides the messages of a range of offsets
// among directories, nothing tells the order between these.
func (f *nameFilter) ordered() bool {
	for _, p := range f.parts {
		if p.kind != partLiteral && p.kind != partHash {
			return false
		}
	}
	return f.ranges
}

// prefixes returns what the names of objects of a time begin with; none of them
// begins with another one.
func (f *nameFilter) prefixes(from, to time.Time) []string {
	head := 0 // parts that are the same for all messages of a minute
	for head < len(f.parts) && (f.parts[head].kind == partLiteral || f.parts[head].ofTime()) {
		head++
	}
	for {
		if found, ok := f.render(f.parts[:head], from, to); ok {
			return found
		}
		for head--; !f.parts[head].ofTime(); head-- {
		}
	}
}

// render returns the beginnings of names that parts make, unless there are too
// many of them.
func (f *nameFilter) render(parts []part, from, to time.Time) (found []string, ok bool) {
	step := finest(parts)
	if step == 0 {
		return []string{string(appendParts(nil, parts, minute{none: true}))}, true
	}
	known := map[string]bool{}
	add := func(m minute) {
		if s := string(appendParts(nil, parts, m)); !known[s] {
			known[s] = true
			found = append(found, s)
		}
	}
	// Months and years have days in all lengths: no step leaves one out.
	if to.Sub(from)/step > 400*mostPrefixes {
		return nil, false
	}
	for at := from.Truncate(step); !at.After(to); at = at.Add(step) {
		if add(newMinute(at)); len(found) > mostPrefixes {
			return nil, false
		}
	}
	if f.ranges {
		add(minute{none: true})
	}
	return found, true
}

// finest returns a time that is no longer than what parts tell apart; 0 when they
// tell no time.
func finest(parts []part) time.Duration {
	step := time.Duration(0)
	for _, p := range parts {
		d := time.Duration(0)
		switch p.kind {
		case partDate, partYear, partMonth, partDay:
			d = 24 * time.Hour
		case partHour:
			d = time.Hour
		case partMinute:
			d = time.Minute
		}
		if d > 0 && (step == 0 || d < step) {
			step = d
		}
	}
	return step
}

func appendParts(b []byte, parts []part, m minute) []byte {
	for _, p := range parts {
		if p.kind == partLiteral {
			b = append(b, p.text...)
		} else {
			b = m.append(b, p.kind)
		}
	}
	return b
}

// fits reports whether a name is one that the path makes, and whether it may be
// one for a time.
func (f *nameFilter) fits(name string, from, to time.Time) (made, ofTime bool) {
	in := f.filed(name)
	return in.made, in.made && (!in.dated || !in.first.After(to) && !in.after.Before(from))
}

// filing is what a name tells.
type filing struct {
	made         bool      // by the path
	dated        bool      // it tells a time
	first, after time.Time // its first moment, and the first one beyond
}

// filed returns what a name tells. Where the path does not make the name, the time is
// that of its directories, as far as it makes them.
func (f *nameFilter) filed(name string) (in filing) {
	groups := f.whole.FindStringSubmatch(name)
	in.made = groups != nil
	if !in.made && f.dirs != nil {
		groups = f.dirs.FindStringSubmatch(name)
	}
	var m minute
	known := [partMinute + 1]bool{}
	for i, text := range groups[min(1, len(groups)):] {
		if i >= len(f.kinds) {
			break // the extension
		}
		kind := f.kinds[i]
		if kind < partDate || kind > partMinute || text == "" {
			continue
		}
		if text == undated {
			return in
		}
		known[kind] = true
		switch kind {
		case partDate:
			m.year, m.month, m.day = atoi(text[:4]), atoi(text[5:7]), atoi(text[8:])
			known[partYear], known[partMonth], known[partDay] = true, true, true
		case partYear:
			m.year = atoi(text)
		case partMonth:
			m.month = atoi(text)
		case partDay:
			m.day = atoi(text)
		case partHour:
			m.hour = atoi(text)
		case partMinute:
			m.minute = atoi(text)
		}
	}
	in.first, in.after, in.dated = m.span(known)
	return in
}

// span returns the first moment of the time that the known parts tell, and the
// first one after it; ok is false when they tell none, or one that no calendar has.
func (m minute) span(known [partMinute + 1]bool) (first, after time.Time, ok bool) {
	years, months, days, rest := 0, 0, 0, time.Duration(0)
	switch {
	case !known[partYear]:
		return first, after, false
	case !known[partMonth]:
		m, years = minute{year: m.year, month: 1, day: 1}, 1
	case !known[partDay]:
		m, months = minute{year: m.year, month: m.month, day: 1}, 1
	case !known[partHour]:
		m, days = minute{year: m.year, month: m.month, day: m.day}, 1
	case !known[partMinute]:
		m.minute, rest = 0, time.Hour
	default:
		rest = time.Minute
	}
	first = time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, 0, 0, time.UTC)
	return first, first.AddDate(years, months, days).Add(rest), newMinute(first) == m
}

// atoi is of digits that a pattern has found.
func atoi(digits string) (n int) {
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}

// compareRanges orders names of ranges as their messages came.
func compareRanges(a, b string) int {
	x, y := rangeNumbers(a), rangeNumbers(b)
	for i := range x {
		if c := cmp.Compare(x[i], y[i]); c != 0 {
			return c
		}
	}
	return strings.Compare(a, b)
}

// rangeNumbers returns generation, first, last and number of a name.
func rangeNumbers(name string) (numbers [4]uint64) {
	name = name[strings.LastIndexByte(name, '/')+1:]
	if i := strings.IndexByte(name[strings.LastIndexByte(name, '-')+1:], '.'); i >= 0 {
		name = name[:strings.LastIndexByte(name, '-')+1+i]
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		dash := strings.LastIndexByte(name, '-')
		if dash < 0 {
			return numbers
		}
		// What is no number is no name of a range, which the filter has seen to.
		numbers[i], _ = strconv.ParseUint(name[dash+1:], 10, 64) //nolint:errcheck // see above
		name = name[:dash]
	}
	return numbers
}
